"""What a backend declares: which gap covers a case, and what is called for it."""

import pytest
from msgspec.structs import replace

from backends.on_numpy import INFO
from fixtures import catalogue
from harness.backend import Gap, Means
from harness.errors import ParityError
from harness.run.registry import known_backends
from harness.spec import CELLS, VARIANTS, Case

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


def test_the_first_means_for_a_cell_and_a_variant_are_the_ones_given() -> None:
    means = (
        Means("fused", ("dynamic",), ("lstm", "gru")),
        Means("loop", ("dynamic", "static")),
    )
    info = replace(INFO, means=means)
    assert info.means_for("lstm", "dynamic") == means[0]
    assert info.means_for("lstm", "static") == means[1]
    assert info.means_for("rnn_tanh", "dynamic") == means[1]
    assert info.means_for("rnn_tanh", "basic") is None


@pytest.mark.parametrize(
    ("cell", "functions"),
    [("rnn_relu", set()), ("rnn_tanh", {"tanh"}), ("lstm", {"tanh", "sigmoid"})],
)
def test_the_stated_accuracy_is_that_of_the_cell_s_functions(
    cell: str, functions: set[str]
) -> None:
    case = replace(CASE, cell=cell)
    assert INFO.accuracy(case).ulp.keys() == functions
    silent = replace(INFO, elementwise_ulp={})
    if functions:
        with pytest.raises(ParityError, match="numpy states no accuracy of"):
            silent.accuracy(case)
    else:
        assert silent.accuracy(case).ulp == {}


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
        means = info.means_for(case.cell, case.variant)
        either = [case, replace(case, bias=False)]  # some cells have no bias for it
        computed = any(info.gap(asked) is None for asked in either)
        assert (means is not None) == computed, case.id
