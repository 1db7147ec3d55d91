"""Threads that wait for workers, side by side, and end at once where a signal comes."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

_INTERRUPTS = 0.2  # seconds between two: a worker may just be about to start

Made = TypeVar("Made")


def side_by_side(
    work: Sequence[Callable[[], Made]], jobs: int, interrupt: Callable[[], None]
) -> list[Made]:
    """Return what each piece of work gives, in order.

    Args:
        work: Called with nothing, each in a thread.
        jobs: How many at a time.
        interrupt: Ends what they wait for, where one fails or a signal comes: it would
            be waited for otherwise.

    """
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(each) for each in work]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in futures):
                interrupt()
                time.sleep(_INTERRUPTS)
            raise
    return [future.result() for future in futures]
