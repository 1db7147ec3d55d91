"""Which backends there are, and which of them are installed here."""

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Any

from harness.backend import BackendInfo
from harness.errors import ParityError, UsageError, unknown_name

ENTRY_POINT_GROUP = "rnn_parity.backends"

BUILT_IN = (
    "backends.on_numpy:INFO",
    "backends.on_tensorflow:INFO",
    "backends.on_tensorflow:INFO_V1",
    "backends.on_torch:INFO",
    "backends.on_jax:INFO",
    "backends.on_jax:INFO_EAGER",
)


def known_backends() -> dict[str, BackendInfo]:
    """Every backend by name: the built-in ones, then those of installed packages.

    Raises:
        ParityError: A package's entry point does not lead to a `BackendInfo`, or takes
            the name of another.

    """
    found: dict[str, BackendInfo] = {}
    for target in BUILT_IN:
        module, attribute = target.split(":")
        _add(found, getattr(importlib.import_module(module), attribute), target)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        origin = f"entry point {point.name} = {point.value!r}"
        try:
            info = point.load()
        except Exception as error:
            raise ParityError(
                f"{origin} cannot be loaded: {type(error).__name__}: {error}; "
                "mend or uninstall that package"
            ) from error
        _add(found, info, origin)
    return found


def _add(found: dict[str, BackendInfo], info: Any, origin: str) -> None:
    if not isinstance(info, BackendInfo):
        raise ParityError(
            f"{origin} is a {type(info).__name__}, expected a BackendInfo"
        )
    if info.name in found:
        raise ParityError(f"{origin} takes the name {info.name!r}, which is in use")
    found[info.name] = info


def missing(info: BackendInfo) -> list[str]:
    """Name the distributions that a backend needs and that are not installed."""
    return [
        distribution
        for module, distribution in info.requires.items()
        if not _is_there(module)
    ]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # of a parent package, which is imported
        return False


def absence(info: BackendInfo) -> str | None:
    """Say what keeps a backend from running here, and what installs it; else None."""
    if not (gone := missing(info)):
        return None
    return f"{', '.join(gone)} not installed; install with: {info.install}"


def installed_versions(info: BackendInfo) -> dict[str, str]:
    """Distribution → version, as the packages' metadata has it, without importing."""
    found = {}
    for distribution in info.requires.values():
        try:
            found[distribution] = version(distribution)
        except PackageNotFoundError:
            found[distribution] = "unknown"
    return found


def select_backends(names: list[str]) -> list[BackendInfo]:
    """Give the named backends, or all known ones if none is named.

    Raises:
        UsageError: A name is unknown, or a backend that was named is not installed.

    """
    known = known_backends()
    for name in names:
        if name not in known:
            raise unknown_name("backend", name, known)
        if reason := absence(known[name]):
            raise UsageError(f"backend {name} cannot run here: {reason}")
    return [known[name] for name in dict.fromkeys(names or known)]
