"""Reads files of version 1, in which some things had other names."""

import re
from collections.abc import Mapping
from typing import Any

_REPORT = {"odd_one_out": "outliers"}
_RESULT = {
    "headroom": "bound_ratio",
    "peers": "fixed_tolerances",
    "weak": "not_shown",
    "smallest_changes": "sensitivity",
}
_PAIR = {"headroom": "bound_ratio"}
_INFO = {"means": "implementations"}
_ERRORS = {
    "elementwise_ulp": "ulp",
    "elementwise_near": "near",
    "elementwise_absolute": "absolute",
}
_ARITHMETIC = ("accumulators", "factor_units", "recomputes")
_STATED = {*_ERRORS, *_ARITHMETIC}
_GAP = {"with_biases": "biases"}
_SWITCHES = ("with_biases", "zero_length", "full_projection")
_BEGIN = 200  # characters, among which the schema is
_SCHEMA = re.compile(rb'"schema": *"rnn-parity.[a-z]+/1"')


def is_version_1(data: bytes) -> bool:
    """Whether a file begins as one of version 1."""
    return _SCHEMA.search(data[:_BEGIN]) is not None


def upgraded(document: Any) -> Any:
    """Return what a JSON document of version 1 holds, by the names of version 2.

    What is no such document comes back as it is.

    Raises:
        ValueError: It has names of version 2.

    """
    if not isinstance(document, Mapping):
        return document
    match document.get("schema"):
        case "rnn-parity.report/1":
            found = _renamed(document, _REPORT)
            found["results"] = _all_renamed(document.get("results"), _RESULT)
            found["pairs"] = _all_renamed(document.get("pairs"), _PAIR)
            return {**found, "schema": "rnn-parity.report/2"}
        case "rnn-parity.run/1":
            infos = _all_renamed(document.get("infos"), _INFO)
            if isinstance(infos, list):
                infos = [_declared(info) for info in infos]
            return {**document, "infos": infos, "schema": "rnn-parity.run/2"}
    return document


def _declared(info: Any) -> Any:
    """Return what a backend declares by the structures of version 2.

    What is none comes back in a form that no backend's has.
    """
    if not isinstance(info, Mapping):
        return info
    found = {name: value for name, value in info.items() if name not in _STATED}
    accuracy: dict[str, dict[str, dict[str, Any]]] = {}
    for old, name in _ERRORS.items():
        for function, of in _mapping(info.get(old, {})).items():
            for dtype, value in _mapping(of).items():
                errors = accuracy.setdefault(dtype, {})
                errors.setdefault(function, {})[name] = value
    found["accuracy"] = accuracy
    found["arithmetic"] = {name: info[name] for name in _ARITHMETIC if name in info}
    gaps = info.get("gaps", ())
    if isinstance(gaps, list | tuple):
        # They were listed for what is not done, too.
        found["gaps"] = found["otherwise"] = [_gap(gap) for gap in gaps]
    return found


def _mapping(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("what a backend states is no object")  # noqa: TRY004
    return value


def _gap(gap: Any) -> Any:
    """Return a gap of version 1, in which a switch that is off matched all."""
    if not isinstance(gap, Mapping):
        return gap
    return {
        _GAP.get(name, name): value
        for name, value in gap.items()
        if not (name in _SWITCHES and value is False)
    }


def _all_renamed(documents: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(documents, list):
        return documents
    return [_renamed(each, names) for each in documents]


def _renamed(document: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(document, Mapping):
        return document
    if mixed := document.keys() & {*names.values()}:
        raise ValueError(f"{min(mixed)} is no field of version 1")
    return {names.get(name, name): value for name, value in document.items()}
