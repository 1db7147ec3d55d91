"""What a backend declares: which gap covers a case, and what is called for it."""

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
    BackendInfo,
    Case,
    Gap,
    Implementation,
    ParityError,
)
from rnn_parity_fixtures import catalogue

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
    ],
)
def test_a_gap_covers_the_cases_that_each_of_its_lists_names(
    field: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    wide = Gap("notyet", "not written", cells=("lstm",), variants=("variable_input",))
    assert wide.covers(CASE)
    assert replace(wide, **{field: inside}).covers(CASE)
    assert not replace(wide, **{field: outside}).covers(CASE)


def test_a_gap_of_rows_without_a_step_is_about_these_alone() -> None:
    gap = Gap("never", "no", zero_length=True)
    assert not gap.covers(CASE)
    assert gap.covers(replace(CASE, zero_length=True))


def test_a_gap_of_biases_is_about_cases_that_have_them_and_partial() -> None:
    gap = Gap("never", "no", with_biases=True)
    assert gap.covers(CASE)
    assert not gap.covers(replace(CASE, bias=False))
    assert gap.is_partial


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
    assert INFO.accuracy(case).ulp.keys() == functions
    silent = replace(INFO, elementwise_ulp={}, elementwise_near={})
    if functions:
        with pytest.raises(ParityError, match="numpy states no accuracy of"):
            silent.accuracy(case)
    else:
        assert silent.accuracy(case).ulp == {}


def near(*pairs: tuple[float, float], function: str = "sigmoid") -> BackendInfo:
    return replace(INFO, elementwise_near={function: {"float32": pairs}})


def test_the_fewer_ulp_near_0_are_those_of_the_case_s_functions_and_dtype() -> None:
    info, pairs = near((1.0, 2.0), (8.0, 3.5)), ((1.0, 2.0), (8.0, 3.5))
    assert info.accuracy(CASE).near == {"sigmoid": pairs}
    assert info.accuracy(replace(CASE, cell="rnn_tanh")).near == {}
    assert info.accuracy(replace(CASE, dtype="float64")).near == {}


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
    with pytest.raises(ValueError, match=r"numpy states .* of sigmoid in float32: "):
        near(*pairs)


def test_fewer_ulp_of_what_nothing_is_stated_of_are_refused() -> None:
    with pytest.raises(ValueError, match="of sigmod in float32"):
        near((1.0, 2.0), function="sigmod")
    written = {**to_builtins(near((1.0, 2.0))), "elementwise_ulp": {}}
    with pytest.raises(ValidationError, match="numpy states"):
        convert(written, BackendInfo)


def test_what_nobody_described_is_held_to_what_the_coarsest_state_anywhere() -> None:
    infos = [near((1.0, 2.0)), replace(INFO, name="coarse", elementwise_near={})]
    assert least_accurate("expected", infos).accuracy(CASE).near == {}
    assert least_accurate("expected", infos[:1]).accuracy(CASE).near == {}


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
