"""Memory of a process that judges: it is kept, as the next case asks for as much."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's names in mallopt(3)
_NEVER, _LARGEST = 2**31 - 1, 2**25


def keep_memory() -> None:
    """Have the C library keep what is given back, in pieces of up to 32 MiB.

    A certificate asks for arrays of the same sizes again and again. For the system to
    clear new pages each time takes it a tenth to a third longer, and threads wait for
    one another there. For processes of our own alone; another library than glibc does
    as it does.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_TRIM_THRESHOLD, _NEVER)
    mallopt(_MMAP_THRESHOLD, _LARGEST)
