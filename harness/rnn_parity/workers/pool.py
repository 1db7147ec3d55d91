"""Threads that wait for workers, side by side, and end at once where a signal comes."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

_INTERRUPTS = 0.2  # seconds between two: a worker may just be about to start

Made = TypeVar("Made")


def side_by_side(
    work: Iterable[Callable[[], Made]], jobs: int, interrupt: Callable[[], None]
) -> list[Made]:
    """Return what each piece of work gives, in order.

    Args:
        work: Called with nothing, each in a thread.
        jobs: How many at a time.
        interrupt: Ends what they wait for, where one fails or a signal comes: it would
            be waited for otherwise.

    """
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:  # a signal may come while threads are still being started
            futures = [pool.submit(each) for each in work]
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            ending = threading.Thread(target=pool.shutdown)
            ending.start()
            while ending.is_alive():
                interrupt()
                ending.join(_INTERRUPTS)
            raise
    return [future.result() for future in futures]
