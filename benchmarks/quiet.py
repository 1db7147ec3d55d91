"""A moment without anybody else at work, before something is timed."""

import time

_SETTLING = 0.2  # seconds; OpenMP's threads spin so long for more to do


def settle() -> None:
    """Wait until threads that others left spinning have gone to sleep."""
    time.sleep(_SETTLING)
