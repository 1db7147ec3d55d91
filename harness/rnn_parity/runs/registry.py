"""Which backends there are, and which of them are installed here."""

import importlib
import importlib.util
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import (
    PackageNotFoundError,
    packages_distributions,
    version,
)
from typing import Any

import msgspec
from msgspec.structs import replace

from rnn_parity.processes.packages import PACKAGES
from rnn_parity.runs.declarations import check_declared
from rnn_parity.workers.host import typed_command
from rnn_parity.workers.interpreter import NEEDED, lacking, with_interpreters
from rnn_parity_core import BackendInfo, ParityError, Scalar, UsageError, unknown_name
from rnn_parity_core.plugins import registered

ENTRY_POINT_GROUP = "rnn_parity.backends"
ALL = "all"
"""Names every backend that is installed and needs no request."""

_SWITCH = {"on": True, "off": False}
_MOST_DIGITS = 7
_LABEL = re.compile(r"[A-Za-z0-9._-]+")

BUILT_IN = (
    "rnn_parity_backends.on_numpy:INFO",
    "rnn_parity_backends.on_tensorflow:INFO",
    "rnn_parity_backends.on_tensorflow:INFO_V1",
    "rnn_parity_backends.on_torch:INFO",
    "rnn_parity_backends.on_jax:INFO",
    "rnn_parity_backends.on_jax:INFO_EAGER",
    "rnn_parity_backends.on_torch:INFO_COMPILE",
    "rnn_parity_backends.on_torch:INFO_CUDA",
    "rnn_parity_backends.on_tensorflow:INFO_XLA",
    "rnn_parity_backends.on_jax:INFO_CUDA",
    "rnn_parity_backends.on_onnxruntime:INFO",
    "rnn_parity_backends.on_flax:INFO",
    "rnn_parity_backends.on_equinox:INFO",
    "rnn_parity_backends.on_haiku:INFO",
    "rnn_parity_backends.on_keras:INFO_TORCH",
    "rnn_parity_backends.on_keras:INFO_JAX",
    "rnn_parity_backends.on_openvino:INFO",
    "rnn_parity_backends.on_mlx:INFO",
    "rnn_parity_backends.on_tinygrad:INFO",
)


def built_in_backends() -> dict[str, BackendInfo]:
    """Give the backends of this distribution by name, whatever is installed."""
    found: dict[str, BackendInfo] = {}
    for target in BUILT_IN:
        module, attribute = target.split(":")
        _add(found, getattr(importlib.import_module(module), attribute), target)
    return found


def known_backends() -> dict[str, BackendInfo]:
    """Every backend by name: the built-in ones, then those of installed packages.

    Raises:
        ParityError: A package's entry point does not lead to a `BackendInfo`, or takes
            the name of another, or declares what there is not.

    """
    found = built_in_backends()
    for origin, info in registered(ENTRY_POINT_GROUP, BackendInfo):
        _add(found, info, origin)
    return found


def _add(found: dict[str, BackendInfo], info: Any, origin: str) -> None:
    try:
        msgspec.convert(msgspec.to_builtins(info), BackendInfo)
    except (msgspec.ValidationError, TypeError, RecursionError) as error:
        raise ParityError(f"{origin} is no sound BackendInfo: {error}") from None
    if info.name in found:
        raise ParityError(f"{origin} takes the name {info.name!r}, which is in use")
    check_declared(info)
    found[info.name] = info


def missing(info: BackendInfo) -> list[str]:
    """Name the distributions that a backend needs and that are not installed."""
    if info.interpreter or info.host:
        modules = {**NEEDED, **info.requires, **_own(info)}
        return lacking(info.interpreter, info.host, modules)
    return [
        distribution
        for module, distribution in info.requires.items()
        if not _is_there(module)
    ]


def _own(info: BackendInfo) -> dict[str, str]:
    """Give the package of an adapter that is not ours: another Python has its own."""
    package = info.adapter.partition(":")[0].partition(".")[0]
    if package in PACKAGES:
        return {}
    return {package: packages_distributions().get(package, [package])[0]}


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # of a parent package, which is imported
        return False


def absence(info: BackendInfo) -> str | None:
    """Say what keeps a backend from running here, and what installs it; else None."""
    if not (gone := missing(info)):
        return None
    if info.interpreter or info.host:
        pip = f"-m pip install {' '.join(gone)}"
        install = typed_command(info.interpreter, info.host, pip)
        return f"{', '.join(gone)} not installed there; install with: {install}"
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


def select_backends(
    names: list[str], interpreters: Sequence[str] = (), hosts: Sequence[str] = ()
) -> list[BackendInfo]:
    """Give the named backends, or all known ones if none is named.

    Args:
        names: `torch`, `torch+threads=1`, `jax#old`; or `all` by itself.
        interpreters: Pythons that workers are started with: `jax#old=PATH` each.
        hosts: Machines that they run on: `jax=ssh:[USER@]HOST[:PORT]` each.

    Raises:
        UsageError: A name or a setting is unknown, a backend that was named is not
            installed, or a host cannot be reached.

    """
    if not names or names == [ALL]:
        usual = (i for i in known_backends().values() if not i.on_request)
        return with_interpreters(usual, interpreters, hosts)
    found = named_backends(names, interpreters, hosts)
    for info in found:
        if reason := absence(info):
            raise UsageError(f"backend {info.name} cannot run here: {reason}")
    return found


def named_backends(
    names: Iterable[str], interpreters: Sequence[str] = (), hosts: Sequence[str] = ()
) -> list[BackendInfo]:
    """Give backends as `select_backends` does, installed or not."""
    known = known_backends()
    named = {name: with_settings(known, name) for name in names}
    return with_interpreters(named.values(), interpreters, hosts)


def with_settings(known: dict[str, BackendInfo], name: str) -> BackendInfo:
    """Give a backend by its name, which may set options: `torch@cuda+tf32=on`.

    The name stays as it was written, so that one run can hold two settings side by
    side; a label at its end, `jax#old`, makes a copy with the same ones.

    Raises:
        UsageError: There is no such backend, option or value, or the label is none.

    """
    if name in known:
        return known[name]
    plain, hash_sign, label = name.partition("#")
    if hash_sign and not _LABEL.fullmatch(label):
        raise UsageError(
            f"the label of {name!r} is {label!r}, expected letters, digits, '.', '_' "
            "or '-', as in jax#old"
        )
    base, *chosen = plain.split("+")
    if base not in known:
        raise unknown_name("backend", base, known)
    options, settings = dict(known[base].options), known[base].settings
    for words in chosen:
        option, _, value = words.partition("=")
        if option not in settings:
            raise unknown_name(f"setting of {base}", option, settings)
        options[option] = _value(f"{base}+{option}", value, options[option])
    return replace(known[base], name=name, options=options)


def _value(what: str, text: str, usual: Scalar) -> Scalar:
    """Read a setting's value, of the type of the usual one."""
    if isinstance(usual, bool):
        if text in _SWITCH:
            return _SWITCH[text]
        raise UsageError(f"{what} is a switch: {what}=on or {what}=off, not {text!r}")
    if isinstance(usual, int):
        if text.isascii() and text.isdecimal() and len(text) < _MOST_DIGITS:
            return int(text)
        raise UsageError(f"{what} is a number, as in {what}={usual}; not {text!r}")
    return text
