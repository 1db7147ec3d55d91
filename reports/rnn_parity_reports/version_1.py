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
            return {**document, "infos": infos, "schema": "rnn-parity.run/2"}
    return document


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
