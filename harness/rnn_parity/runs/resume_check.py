"""Whether a run that goes on does so where it began."""

from typing import Any

import msgspec

from rnn_parity_core import UsageError, clean


def differences(begun: msgspec.Struct, now: msgspec.Struct) -> list[str]:
    """Say what is not alike in two records of one kind, a few words each."""
    then, here = (_flat(msgspec.to_builtins(record)) for record in (begun, now))
    return [
        f"{name} was {then.get(name, 'nothing')}, is {here.get(name, 'nothing')}"
        for name in dict.fromkeys((*then, *here))
        if then.get(name) != here.get(name)
    ]


def another_environment(what: str, found: list[str]) -> UsageError:
    """Say that a run cannot go on, since results of two environments would mix."""
    return UsageError(
        f"{what} is not what began this run: {clean('; '.join(found))}; go on where it "
        "began, or begin anew"
    )


def _flat(record: dict[str, Any]) -> dict[str, str]:
    """Give every value by its name, those of mappings by the names in these."""
    found: dict[str, str] = {}
    for name, value in record.items():
        inner = value if isinstance(value, dict) else {name: value}
        found |= {key: repr(each) for key, each in inner.items()}
    return found
