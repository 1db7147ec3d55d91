"""Errors of functions are measured right, wherever results lie."""

from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.adapter_tools.accuracy import (
    BATCH,
    Unmeasurable,
    arguments,
    can_measure,
    errors_if_flushed,
    errors_in_ulp,
    exact,
    measure,
)
from rnn_parity.adapter_tools.statement import Figure, Stated, Worst, held, stated
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import DTYPES, Array, Error, Gap, Outcome, Problem
from support import stating

LONG = np.longdouble


@pytest.mark.parametrize(
    ("dtype", "got", "right", "ulp"),
    [
        ("float32", 1 + 2**-22, 1.0, 2.0),
        ("float32", 1 - 2**-24, 1.0, 0.5),  # below 1 numbers are twice as dense
        ("float32", 0.5, 0.5 - 2**-25, 1.0),
        ("float64", 0.25 + 2**-53, 0.25, 2.0),
        ("float16", -1.5, -1.5 - 2**-11, 0.5),
        ("bfloat16", 2**-100, 2**-100 * (1 + 2**-8), 0.5),
        ("float16", 2**-14, 2**-14 - 2**-25, 0.5),  # subnormal, rounded to a normal
        ("float32", np.nan, 0.5, np.inf),
        ("float32", -np.inf, 0.5, np.inf),
    ],
)
def test_an_error_is_counted_in_units_of_the_right_result(
    dtype: str, got: float, right: float, ulp: float
) -> None:
    made, wanted = np.array([got]).astype(dtype), np.array([right], LONG)
    assert errors_in_ulp(made, wanted).tolist() == [ulp]
    assert errors_if_flushed(made, wanted).tolist() == [0.0]


@pytest.mark.parametrize(
    ("dtype", "got", "right", "error"),
    [
        ("float16", 0.0, 1.5e-5, 1.5e-5),
        ("float16", -0.0, 0.25, 0.25),
        ("float16", 2**-24, 3 * 2**-24, 2**-23),
        ("float32", 0.0, 2**-126, 2**-126),
        ("bfloat16", 0.0, 2**-120, 2**-120),
        ("float64", 0.0, 0.0, 0.0),
    ],
)
def test_a_flushed_result_is_an_absolute_error_and_no_thousands_of_ulps(
    dtype: str, got: float, right: float, error: float
) -> None:
    made, wanted = np.array([got]).astype(dtype), np.array([right], LONG)
    assert errors_in_ulp(made, wanted).tolist() == [0.0]
    assert errors_if_flushed(made, wanted).tolist() == [error]


def test_ulps_are_counted_beyond_the_absolute_error_that_is_stated() -> None:
    made, wanted = np.array([2**-20], np.float32), np.array([2**-21], LONG)
    assert errors_in_ulp(made, wanted, 2**-21).tolist() == [0.0]
    assert errors_in_ulp(made, wanted, 2**-22).tolist() == [2.0**22]
    assert errors_in_ulp(made, wanted).tolist() == [2.0**23]


def test_exact_values_are_right_to_what_the_machine_has() -> None:
    # To 34 digits.
    x = np.array([-1.0, 1.0], np.float32)
    tanh = LONG("0.7615941559557648881194582826047936")
    small = LONG("0.2689414213699951207488407581781637")
    allowed = 4 * np.finfo(LONG).eps
    assert np.abs(exact("tanh", x) - [-tanh, tanh]).max() <= allowed
    assert np.abs(exact("sigmoid", x) - [small, 1 - small]).max() <= allowed


def test_of_half_precisions_every_number_in_range_is_tried() -> None:
    (x,) = arguments("tanh", "float16", 10)
    assert x.size == 2 * (0x4D00 + 1)  # 0x4D00 is 20
    assert len(set(x.view(np.uint16).tolist())) == x.size
    assert float(np.abs(x).max()) == 20
    (x,) = arguments("sigmoid", "bfloat16", 10)
    # The smallest number is 2^-133, and the logarithm of it -92.2.
    assert float(np.abs(x.astype(np.float32)).max()) == 92


def test_samples_are_cut_into_problems_and_no_two_are_alike() -> None:
    first, second = arguments("sigmoid", "float32", BATCH + 2)
    assert first.size == second.size == BATCH // 2 + 4
    assert first.dtype == second.dtype == np.float32
    both = np.concatenate([first, second])
    assert np.unique(both).size > 0.99 * both.size
    assert both.min() < -90
    assert both.max() > 90
    assert (np.abs(both) < 1e-9).any()


def test_every_range_that_limits_cut_is_drawn_from_densely() -> None:
    (x,) = arguments("sigmoid", "float32", 50_000, (1.0, 8.0, 16.0, np.inf))
    size = np.abs(x.astype(float))
    for low, high in ((0, 1), (1, 8), (8, 16), (16, 103)):
        # A tenth each: half of all evenly, over these and where the function bends.
        assert ((size > low) & (size <= high)).sum() > 5_000
    for few in arguments("tanh", "float32", 1, (1.0, 8.0)):
        inside = few[(np.abs(few) > 1) & (np.abs(few) <= 8)]
        assert inside.size > 0


def spoilt(spoil: Callable[[Array], Array]) -> Callable[[Problem], Outcome]:
    """Give an adapter whose cell states are spoilt."""

    def compute(problem: Problem) -> Outcome:
        outcome = NumpyBackend().run(problem)
        if "final_c" not in outcome:
            return outcome
        return {**outcome, "final_c": spoil(outcome["final_c"])}

    return compute


def test_the_worst_is_found_where_it_is() -> None:
    (figure,) = measure(INFO, "tanh", "float32", 1000, NumpyBackend().run)
    assert 0.4 < figure.ulp.error < 2
    off = spoilt(lambda c: np.where((c > 0.3) & (c < 1), c * np.float32(1 + 1e-6), c))
    (figure,) = measure(INFO, "tanh", "float32", 1000, off)
    assert 8 < figure.ulp.error < 18  # 1e-6 is 8.4 to 16.8 ulp of a float32
    assert figure.ulp.at > np.arctanh(0.3) - 1e-6
    assert figure.ulp.way == "basic lstm"


def test_each_statement_is_measured_where_it_holds() -> None:
    near = ((0.25, 1.5), (2.0, 1.75))
    info = stating(INFO, "float32", tanh=Error(2.0, near=near))
    off = spoilt(lambda c: np.where((c > 0.3) & (c < 0.9), c * np.float32(1 + 1e-6), c))
    said = stated(info, "tanh", "float32")
    assert [(one.ulp, one.upto) for one in said] == [
        (1.5, 0.25),
        (1.75, 2.0),
        (2.0, np.inf),
    ]
    figures = measure(info, "tanh", "float32", 1000, off)
    found = [held(*pair, "float32") for pair in zip(figures, said, strict=True)]
    assert found == ["kept", "exceeded", "kept"]
    limits = [0.0, 0.25, 2.0, 20.0]
    for figure, low, high in zip(figures, limits, limits[1:], strict=False):
        assert low < abs(figure.ulp.at) <= high


def test_a_statement_covers_its_limit_and_not_the_next_one_s() -> None:
    x = np.array([0.0, -1.0, 1.0000001, 8.0, -9.0], np.float32)
    near = ((1.0, 2.0), (8.0, 3.0))
    info = stating(INFO, "float32", sigmoid=Error(4.0, near=near))
    said = stated(info, "sigmoid", "float32")
    assert [one.covers(x).tolist() for one in said] == [
        [True, True, False, False, False],
        [False, False, True, True, False],
        [False, False, False, False, True],
    ]


def test_a_statement_about_no_argument_hides_faults() -> None:
    info = stating(INFO, "float32", tanh=Error(2.0, near=((25.0, 1.5),)))
    figures = measure(info, "tanh", "float32", 1000, NumpyBackend().run)
    said = stated(info, "tanh", "float32")
    found = [held(*pair, "float32") for pair in zip(figures, said, strict=True)]
    assert found == ["kept", "generous"]


def test_results_that_are_zero_too_early_are_told_apart_from_ulps() -> None:
    early = spoilt(lambda c: np.where(c < 0.001, 0, c).astype(c.dtype))
    (healthy,) = measure(INFO, "sigmoid", "float16", 1, NumpyBackend().run)
    (figure,) = measure(INFO, "sigmoid", "float16", 1, early)
    assert figure.ulp == healthy.ulp
    assert 0.00099 < figure.absolute.error < 0.001
    assert -6.92 < figure.absolute.at < -6.9
    assert held(healthy, Stated(3.0), "float16") == "kept"
    assert held(figure, Stated(3.0), "float16") == "exceeded"
    assert held(figure, Stated(3.0, absolute=0.001), "float16") == "kept"


def test_only_ways_that_are_no_declared_gap_are_asked() -> None:
    info = replace(INFO, gaps=(Gap("never", "no loops", variants=("basic",)),))
    (figure,) = measure(info, "sigmoid", "bfloat16", 1, NumpyBackend().run)
    assert figure.ulp.way == "dynamic lstm"
    info = replace(INFO, gaps=(Gap("never", "no gates", cells=("lstm",)),))
    assert measure(info, "sigmoid", "bfloat16", 1, NumpyBackend().run) == []
    (figure,) = measure(info, "tanh", "bfloat16", 1, NumpyBackend().run)
    assert figure.ulp.way == "basic rnn_tanh"


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru"])
def test_an_error_of_one_cell_alone_is_seen(cell: str) -> None:
    def run(problem: Problem) -> Outcome:
        outcome = NumpyBackend().run(problem)
        if problem.case.cell != cell:
            return outcome
        return {name: a * np.float32(1 - 1e-6) for name, a in outcome.items()}

    (figure,) = measure(INFO, "tanh", "float32", 1000, run)
    assert figure.ulp.way.endswith(cell)
    assert 8 < figure.ulp.error < 18  # 1e-6 is 8.4 to 16.8 ulp of a float32


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: c[:, :-1], "final_c has shape"),
        (lambda c: c.astype(np.float64), "final_c has dtype float64, expected"),
        (lambda c: c * np.float32(0.99), r"sigmoid\(40\) is 0.99.*, expected 1"),
    ],
)
def test_what_is_no_value_of_the_function_is_not_measured(
    spoil: Callable[[Array], Array], words: str
) -> None:
    with pytest.raises(Unmeasurable, match=words):
        measure(INFO, "sigmoid", "float32", 100, spoilt(spoil))


@pytest.mark.parametrize(
    ("ulp", "flushed", "said", "status"),
    [
        (2.0, 0.0, Stated(2.0), "kept"),
        (2.01, 0.0, Stated(2.0), "exceeded"),
        (np.inf, 0.0, Stated(2.0), "exceeded"),
        (0.21, 0.0, Stated(2.0), "kept"),
        (0.19, 0.0, Stated(2.0), "generous"),
        (0.0, 0.0, Stated(2.0), "generous"),
        (0.0, 0.0, Stated(0.0), "kept"),
        (0.5, 0.0, Stated(None), "unstated"),
        (1.0, 2.0**-126, Stated(2.0), "kept"),  # the smallest normal number
        (1.0, 1.1 * 2.0**-126, Stated(2.0), "exceeded"),
        (1.0, 1.1 * 2.0**-126, Stated(2.0, absolute=2.0**-129), "kept"),
    ],
)
def test_what_was_measured_is_held_to_what_is_stated(
    ulp: float, flushed: float, said: Stated, status: str
) -> None:
    figure = Figure(Worst(ulp, 0.0, ""), Worst(flushed, 0.0, ""))
    assert held(figure, said, "float32") == status


def test_a_machine_without_wider_numbers_cannot_measure_float64(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(np, "longdouble", np.float64)
    can = {dtype: can_measure(dtype) for dtype in DTYPES}
    narrow = dict.fromkeys(("float32", "bfloat16", "float16"), True)
    assert can == {"float64": False, **narrow}
