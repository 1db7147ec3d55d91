"""How much memory a reader may take for a file that anyone may have made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rnn_parity_core import FileError

TIMES, BESIDE = 8, 2**28
"""A reader's limit: so many times the file's size, and so many bytes beside."""


@contextmanager
def bounded(size: int, origin: str) -> Iterator[None]:
    """Let what is done here take a multiple of a file's size, and no more.

    Libraries that read a format allocate some sizes that a file claims before they see
    that it does not have them: HDF5 those of strings. The limit is the process's; where
    it cannot be set, off Linux, it is not.

    Raises:
        FileError: More memory was asked for.

    """
    restore = _limit(TIMES * size + BESIDE)
    try:
        yield
    except MemoryError:
        raise FileError(
            f"{origin} takes over {TIMES} times its {size} bytes to read, and was left"
        ) from None
    finally:
        restore()


def _limit(more: int) -> Callable[[], None]:
    """Set a limit above what the process has now; give what sets that of before."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return lambda: None
    import resource  # noqa: PLC0415 - Windows has none

    before = soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + more
    if soft != resource.RLIM_INFINITY and soft < limit:
        return lambda: None
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_AS, before)
