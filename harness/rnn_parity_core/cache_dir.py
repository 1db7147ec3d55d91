"""The folder in which workers of this machine keep what they have compiled.

What lies there is run by later workers: it is trusted as installed packages are, so it
is the user's own. It may be deleted at any time.
"""

import os
from pathlib import Path

CACHE = "RNN_PARITY_CACHE"
"""Environment variable that tells a worker the folder; a user may set it, to nothing if
nothing is to be kept."""


def cache_folder() -> str:
    """Give the folder's path; nothing where none is to be used."""
    if CACHE in os.environ:
        return os.environ[CACHE]
    caches = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(caches) if Path(caches).is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # nobody's home
        return ""
    return str(base / "rnn-parity")
