"""What a backend declares: which gap covers a case, and what is called for it."""

from typing import Any

import numpy as np
import pytest
from msgspec import ValidationError, convert, to_builtins
from msgspec.structs import replace

from rnn_parity.runs.registry import known_backends
from rnn_parity.runs.user_arrays import least_accurate
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import (
    CELLS,
    VARIANTS,
    Arithmetic,
    BackendInfo,
    Case,
    Error,
    Gap,
    Implementation,
    ParityError,
)
from rnn_parity_fixtures import catalogue
from support import stating

CASE = catalogue.case_from_id("lstm-variable_input-B3-T7-D4-H5-reverse-f32-s1")


def test_a_gap_that_names_nothing_covers_every_case() -> None:
    assert all(
        Gap("never", "no").covers(case) for case in catalogue.suites()["standard"]
    )


@pytest.mark.parametrize(
    ("field", "inside", "outside"),
    [
        ("cells", ("gru", "lstm"), ("gru", "lstm_peephole")),
        ("variants", ("variable_input",), ("static", "dynamic")),
        ("directions", ("reverse", "bidirectional"), ("forward",)),
        ("dtypes", ("float32",), ("float64",)),
        ("tasks", ("forward", "adam"), ("gradient",)),
    ],
)
def test_a_gap_covers_the_cases_that_each_of_its_lists_names(
    field: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    wide = Gap("notyet", "not written", cells=("lstm",), variants=("variable_input",))
    assert wide.covers(CASE)
    assert replace(wide, **{field: inside}).covers(CASE)
    assert not replace(wide, **{field: outside}).covers(CASE)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("biases", {"bias": False}),
        ("time_major", {"time_major": True}),
        ("zero_length", {"zero_length": True}),
        ("probe", {"probe": True}),
        ("stacked", {"layers": 3}),
        ("full_projection", {"projection": 5}),
    ],
)
def test_a_gap_covers_the_cases_that_are_or_are_not_what_it_says(
    field: str, changes: dict[str, Any]
) -> None:
    plain = Gap("never", "no")
    other = replace(CASE, **changes)
    on, off = (replace(plain, **{field: switch}) for switch in (True, False))
    if field == "biases":
        on, off = off, on
    assert (on.covers(other), on.covers(CASE)) == (True, False)
    assert (off.covers(other), off.covers(CASE)) == (False, True)
    assert on.is_partial
    assert off.is_partial


def test_a_gap_covers_the_cases_whose_ids_its_patterns_match() -> None:
    gap = Gap("never", "no", ids=("gru-*", "lstm-*-H5-reverse-*"))
    assert gap.covers(CASE)
    assert gap.covers(replace(CASE, cell="gru"))
    assert not gap.covers(replace(CASE, units=55))
    assert not gap.covers(replace(CASE, cell="lstm_peephole"))
    assert gap.is_partial


def test_a_gap_of_cells_and_variants_alone_is_not_partial() -> None:
    gap = Gap("never", "no", cells=("lstm",), variants=("static",), link="https://x")
    assert not gap.is_partial


def test_who_calls_a_framework_wrong_says_why() -> None:
    assert Gap("wrong", "", link="https://x").why == "wrong: https://x"
    with pytest.raises(ValueError, match="neither a reason nor a link"):
        Gap("wrong", "")
    with pytest.raises(ValidationError, match="neither a reason nor a link"):
        convert({"kind": "wrong", "reason": ""}, Gap)


def test_the_first_gap_that_covers_a_case_is_the_one_given() -> None:
    gaps = (
        Gap("never", "other", cells=("gru",)),
        Gap("never", "first", cells=("lstm",)),
        Gap("notyet", "second"),
    )
    info = replace(INFO, gaps=gaps)
    assert info.gap(CASE) == gaps[1]
    assert info.gap(replace(CASE, cell="rnn_tanh")) == gaps[2]
    assert INFO.gap(CASE) is None


def test_a_gap_that_depends_on_data_is_of_no_case_but_of_some_that_it_covers() -> None:
    gap = Gap("never", "rounds", cells=("lstm",), depends_on_data=True)
    info = replace(INFO, gaps=(gap, Gap("never", "no", cells=("gru",))))
    assert gap.is_partial
    assert info.gap(CASE) is None
    assert info.may_decline(CASE) == gap
    assert info.may_decline(replace(CASE, cell="rnn_tanh")) is None
    gru = replace(CASE, cell="gru")
    assert info.gap(gru) == info.may_decline(gru) == info.gaps[1]


LSTM_ALONE = replace(
    INFO, implementations=(Implementation("fused", ("static", "dynamic"), ("lstm",)),)
)


def test_what_no_implementation_names_is_a_gap_without_being_listed() -> None:
    gap = LSTM_ALONE.gap(CASE)
    assert gap == LSTM_ALONE.may_decline(CASE)
    assert gap == Gap("notyet", "the adapter does not do lstm as variable_input")
    assert LSTM_ALONE.gap(replace(CASE, variant="dynamic")) is None


def test_the_first_words_about_what_is_not_done_that_cover_a_case_count() -> None:
    loops = Gap("never", "it has no loop", variants=("variable_input",))
    rest = Gap("never", "it has an LSTM alone")
    info = replace(LSTM_ALONE, otherwise=(loops, rest))
    assert info.gap(CASE) == loops
    assert info.gap(replace(CASE, variant="basic")) == rest
    assert info.gap(replace(CASE, variant="dynamic")) is None


def test_what_is_not_done_at_all_is_none_of_the_gaps_of_what_is_done() -> None:
    partial = Gap("notyet", "no updates", dtypes=("float32",))
    rest = Gap("never", "it has an LSTM alone")
    info = replace(LSTM_ALONE, gaps=(partial,), otherwise=(rest,))
    assert info.gap(CASE) == rest
    assert info.gap(replace(CASE, variant="dynamic")) == partial


def test_what_is_known_to_be_wrong_is_a_gap_and_no_reason_to_decline() -> None:
    wrong = Gap("wrong", "swaps directions", directions=("reverse",))
    info = replace(INFO, gaps=(wrong,))
    assert info.gap(CASE) == info.known_wrong(CASE) == wrong
    assert info.may_decline(CASE) is None
    assert info.known_wrong(replace(CASE, direction="forward")) is None


def test_what_is_never_done_is_not_also_done_wrongly() -> None:
    never, wrong = Gap("never", "no"), Gap("wrong", "swaps directions")
    info = replace(INFO, gaps=(never, wrong))
    assert info.known_wrong(CASE) is None
    assert info.may_decline(CASE) == never


def test_of_a_model_nothing_is_known_to_be_wrong() -> None:
    info = replace(INFO, gaps=(Gap("wrong", "swaps directions"),)).of_model()
    assert info.gap(CASE) is None
    assert info.known_wrong(CASE) is None


def test_of_a_model_that_no_implementation_names_anything_is_possible_too() -> None:
    rest = Gap("never", "it has an LSTM alone", variants=("basic",))
    info = replace(LSTM_ALONE, otherwise=(rest,)).of_model()
    assert info.gap(CASE) is None
    found = [info.may_decline(replace(CASE, variant=v)) for v in ("basic", "static")]
    assert [gap and gap.reason for gap in found] == ["it has an LSTM alone", ""]
    declined = info.may_decline(CASE)
    assert declined is not None
    assert declined.reason == ""


def test_of_a_model_anything_may_be_declined_or_computed() -> None:
    info = replace(INFO, gaps=(Gap("never", "no", cells=("lstm",)),)).of_model()
    assert info.gap(CASE) is None
    declined = info.may_decline(CASE)
    assert declined is not None
    assert declined.reason == "no"
    other = info.may_decline(replace(CASE, cell="gru"))
    assert other is not None
    assert other.reason == ""


def test_the_first_implementation_for_a_cell_and_a_variant_is_the_one_given() -> None:
    means = (
        Implementation("fused", ("dynamic",), ("lstm", "gru")),
        Implementation("loop", ("dynamic", "static")),
    )
    info = replace(INFO, implementations=means)
    assert info.implementation_for("lstm", "dynamic") == means[0]
    assert info.implementation_for("lstm", "static") == means[1]
    assert info.implementation_for("rnn_tanh", "dynamic") == means[1]
    assert info.implementation_for("rnn_tanh", "basic") is None


@pytest.mark.parametrize(
    ("cell", "functions"),
    [("rnn_relu", set()), ("rnn_tanh", {"tanh"}), ("lstm", {"tanh", "sigmoid"})],
)
def test_the_stated_accuracy_is_that_of_the_cell_s_functions(
    cell: str, functions: set[str]
) -> None:
    case = replace(CASE, cell=cell)
    assert INFO.accuracy_for(case).functions.keys() == functions
    silent = replace(INFO, accuracy={})
    if functions:
        with pytest.raises(ParityError, match="numpy states no accuracy of"):
            silent.accuracy_for(case)
    else:
        assert silent.accuracy_for(case).functions == {}


def near(*pairs: tuple[float, float]) -> BackendInfo:
    return stating(INFO, "float32", sigmoid=Error(4.0, near=pairs))


def test_what_is_stated_is_that_of_the_case_s_functions_and_dtype() -> None:
    info, pairs = near((1.0, 2.0), (8.0, 3.5)), ((1.0, 2.0), (8.0, 3.5))
    assert info.accuracy_for(CASE).functions["sigmoid"] == Error(4.0, near=pairs)
    assert info.accuracy_for(replace(CASE, cell="rnn_tanh")).functions == {
        "tanh": Error(2.0)
    }
    wide = info.accuracy_for(replace(CASE, dtype="float64"))
    assert wide.functions["sigmoid"] == Error(3.0)


def test_sums_and_factors_are_those_of_the_dtype_and_of_what_is_on() -> None:
    arithmetic = Arithmetic({"bfloat16": "float32"}, {"tf32": 1e-3}, recomputes=False)
    off = replace(INFO, arithmetic=arithmetic, options={"tf32": False})
    on = replace(off, options={"tf32": True})
    found = [i.accuracy_for(CASE) for i in (off, on)]
    assert [of.factor_unit for of in found] == [0.0, 1e-3]
    assert [of.accumulator for of in found] == ["", ""]
    assert not any(of.recomputes for of in found)
    half = on.accuracy_for(replace(CASE, dtype="bfloat16"))
    assert (half.accumulator, half.factor_unit) == ("float32", 0.0)


@pytest.mark.parametrize(
    "pairs",
    [
        ((8.0, 2.0), (1.0, 3.0)),
        ((1.0, 3.0), (8.0, 2.0)),
        ((1.0, 2.0), (1.0, 3.0)),
        ((1.0, 2.0), (8.0, 2.0)),
        ((1.0, 4.0),),  # as many as everywhere
        ((np.nan, 2.0),),
        ((np.inf, 2.0),),
        ((0.0, 2.0),),
        ((1.0, np.nan),),
    ],
)
def test_fewer_ulp_near_0_that_would_not_count_are_refused(
    pairs: tuple[tuple[float, float], ...],
) -> None:
    with pytest.raises(ValueError, match=r"near is .* fewer than the 4 ulp"):
        near(*pairs)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"near": [[1.0, 2.0]]}, "missing required field `ulp`"),
        ({"ulp": 1.5, "near": [[1.0, 2.0]]}, "near is .* fewer than the 1.5 ulp"),
        ({"ulp": -1.0}, r"Expected `float` >= 0.* `\$\.accuracy\[...\]\[...\].ulp`"),
        ({"ulp": 1.0, "absolute": 2.0}, "Expected `float` <= 1"),
        ({"ulp": 1.0, "relative": 0.0}, "unknown field `relative`"),
    ],
)
def test_a_file_that_states_what_cannot_be_is_refused(
    error: dict[str, object], words: str
) -> None:
    written = {**to_builtins(INFO), "accuracy": {"float32": {"tanh": error}}}
    with pytest.raises(ValidationError, match=words):
        convert(written, BackendInfo)


def test_what_nobody_described_is_held_to_what_the_coarsest_state_anywhere() -> None:
    coarse = stating(INFO, "float32", sigmoid=Error(3.5, absolute=1e-8))
    for infos in ([near((1.0, 2.0)), coarse], [coarse, near((1.0, 2.0))]):
        found = least_accurate("expected", infos).accuracy_for(CASE).functions
        assert found == {"tanh": Error(2.0), "sigmoid": Error(4.0, absolute=1e-8)}
    alone = least_accurate("expected", [near((1.0, 2.0))]).accuracy_for(CASE)
    assert alone.functions["sigmoid"] == Error(4.0)


def test_what_nobody_described_may_be_of_any_cell_and_variant() -> None:
    info = least_accurate("expected", [INFO])
    assert [case.id for case in cases() if info.gap(case)] == []


def cases() -> list[Case]:
    return [
        replace(CASE, cell=c, variant=v, projection=2 * (c == "lstm_projection"))
        for c in CELLS
        for v in VARIANTS
    ]


@pytest.mark.parametrize("backend", known_backends())
def test_every_cell_and_variant_has_its_means_or_a_declared_gap(backend: str) -> None:
    info = known_backends()[backend]
    for case in cases():
        means = info.implementation_for(case.cell, case.variant)
        either = [case, replace(case, bias=False)]  # some cells have no bias for it
        computed = any(info.gap(asked) is None for asked in either)
        assert (means is not None) == computed, case.id
