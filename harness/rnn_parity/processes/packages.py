"""Our own packages, and the folders that they are imported from.

Installed they share one folder, in a clone each has another: so a child is told.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

FOR_WORKERS = ("rnn_parity_core", "rnn_parity_backends")
"""What a backend's worker imports of ours."""

PACKAGES = (*FOR_WORKERS, "rnn_parity", "rnn_parity_fixtures", "rnn_parity_reports")


@cache
def folder_of(package: str) -> Path:
    """Return the folder of one of our packages, which is not imported for it."""
    found = find_spec(package)
    locations = found.submodule_search_locations if found else None
    if not locations:
        raise ModuleNotFoundError(f"{package} is a part of rnn-parity, and not there")
    return Path(locations[0])


@cache
def roots() -> tuple[str, ...]:
    """Return what has to be on `sys.path` to import all of our packages."""
    return tuple(dict.fromkeys(str(folder_of(name).parent) for name in PACKAGES))
