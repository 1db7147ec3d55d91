"""What a backend declares is of names that there are, and of cases it may be asked."""

import dataclasses
import re
from typing import Any

import pytest
from msgspec.structs import replace

from rnn_parity.runs.declarations import check_declared
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import (
    CELLS,
    Arithmetic,
    BackendInfo,
    Error,
    Gap,
    Implementation,
    ParityError,
    functions,
)
from rnn_parity_core.cell import Activation


def unsound(**changes: Any) -> BackendInfo:
    """Give NumPy's declaration, as far as it goes, with a mistake in it."""
    return replace(INFO, name="acme", **changes)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (
            unsound(implementations=(Implementation("a", ("dynamik",)),)),
            "variant in implementations of backend acme 'dynamik'; did you mean dynam",
        ),
        (
            unsound(implementations=(Implementation("a", ("dynamic",), ("lstmm",)),)),
            "cell in implementations of backend acme 'lstmm'; did you mean lstm",
        ),
        (
            unsound(gaps=(Gap("never", "no", cells=("gru_reset",)),)),
            "cell in gaps of backend acme 'gru_reset'; did you mean gru_reset_before",
        ),
        (
            unsound(gaps=(Gap("never", "no", variants=("statik",)),)),
            "variant in gaps of backend acme 'statik'; did you mean static",
        ),
        (
            unsound(gaps=(Gap("never", "no", directions=("backward",)),)),
            "direction in gaps of backend acme 'backward'; did you mean forward",
        ),
        (
            unsound(gaps=(Gap("never", "no", dtypes=("f64",)),)),
            "dtype in gaps of backend acme 'f64'",
        ),
        (
            unsound(gaps=(Gap("never", "no", tasks=("adams",)),)),
            "task in gaps of backend acme 'adams'; did you mean adam",
        ),
        (
            unsound(otherwise=(Gap("never", "no", cells=("lstms",)),)),
            "cell in otherwise of backend acme 'lstms'; did you mean lstm",
        ),
        (
            unsound(accuracy={"float23": {"tanh": Error(1.0)}}),
            "dtype in accuracy of backend acme 'float23'; did you mean float",
        ),
        (
            unsound(accuracy={"float32": {"sigmod": Error(1.0)}}),
            "function in accuracy of backend acme 'sigmod'; did you mean sigmoid",
        ),
        (
            unsound(arithmetic=Arithmetic({"bfloat61": "float32"})),
            "dtype in arithmetic.accumulators of backend acme 'bfloat61'",
        ),
        (
            unsound(arithmetic=Arithmetic({"bfloat16": "float23"})),
            "dtype in arithmetic.accumulators of backend acme 'float23'",
        ),
        (
            unsound(arithmetic=Arithmetic(factor_units={"tf23": 1e-3})),
            "option in arithmetic.factor_units of backend acme 'tf23'",
        ),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_its_field_and_backend(
    info: BackendInfo, words: str
) -> None:
    with pytest.raises(ParityError, match=f"unknown {re.escape(words)}"):
        check_declared(info)


LSTM_ALONE = (Implementation("a loop", ("static", "dynamic"), ("lstm",)),)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (
            unsound(
                implementations=LSTM_ALONE, gaps=(Gap("never", "no", cells=("gru",)),)
            ),
            "gaps of backend acme: never: no; matches nothing of what an Implement",
        ),
        (
            unsound(
                implementations=LSTM_ALONE,
                gaps=(Gap("never", "no", variants=("basic",), dtypes=("float64",)),),
            ),
            "matches nothing",
        ),
        (
            unsound(gaps=(Gap("never", "no", variants=("basic",), time_major=True),)),
            "matches nothing",
        ),
        (
            unsound(gaps=(Gap("never", "no", tasks=("sgd",), dtypes=("float16",)),)),
            "matches nothing",
        ),
        (
            unsound(gaps=(Gap("never", "no", cells=("gru",), full_projection=True),)),
            "matches nothing",
        ),
        (
            unsound(gaps=(Gap("never", "no", probe=True, tasks=("gradient",)),)),
            "matches nothing",
        ),
        (
            unsound(otherwise=(Gap("never", "no"),)),
            "otherwise of backend acme: never: no; matches nothing, as implementat",
        ),
        (
            unsound(
                implementations=LSTM_ALONE,
                otherwise=(Gap("never", "no", cells=("lstm",), variants=("dynamic",)),),
            ),
            "matches nothing",
        ),
        (
            unsound(implementations=LSTM_ALONE, otherwise=(Gap("wrong", "off"),)),
            "otherwise of backend acme: wrong: off; what is not done cannot be wrong",
        ),
    ],
)
def test_a_gap_that_no_case_can_have_is_refused(info: BackendInfo, words: str) -> None:
    with pytest.raises(ParityError, match=re.escape(words)):
        check_declared(info)


@pytest.mark.parametrize(
    "gap",
    [
        Gap("never", "no"),
        Gap("never", "no", zero_length=True),
        Gap("never", "no", time_major=True, stacked=True, biases=False),
        Gap("never", "no", full_projection=True),
        Gap("never", "no", cells=("lstm_projection",), full_projection=False),
        Gap("never", "no", probe=True, dtypes=("bfloat16",)),
        Gap("never", "no", probe=False, tasks=("adam",)),
        Gap("never", "no", directions=("bidirectional",), dtypes=("float16",)),
        Gap("never", "no", ids=("lstm-*-s7",), variants=("variable_output",)),
        Gap("wrong", "off", stacked=False),
    ],
    ids=str,
)
def test_a_gap_that_some_case_has_is_fine(gap: Gap) -> None:
    check_declared(unsound(gaps=(gap,)))


def test_cells_are_those_known_when_backends_are_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    info = unsound(
        implementations=(Implementation("a", ("dynamic",), ("acme_cell",)),),
        gaps=(Gap("never", "no", cells=("acme_cell",), dtypes=("float64",)),),
        accuracy={"float32": {"exp": Error(1.0)}},
    )
    with pytest.raises(ParityError, match="unknown cell in implementations"):
        check_declared(info)
    exp = {"activation": Activation(functions.EXP)}
    own = dataclasses.replace(CELLS["rnn_tanh"], name="acme_cell", activations=exp)
    monkeypatch.setitem(CELLS._known, "acme_cell", own)
    check_declared(info)
