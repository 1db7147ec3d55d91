"""Every figure of a comparison, against hand-made numbers and brute force."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.judge import compare as module
from rnn_parity.judge.compare import BLOCK, compare
from rnn_parity_core import Array
from rnn_parity_reports.results import Figures

F32_TINY = 2.0**-149  # the smallest subnormal of float32


def of(got: list[float], want: list[float], dtype: str = "float64") -> Figures:
    return compare(np.array(got, dtype), np.array(want), dtype=dtype)


def test_figures_of_a_small_example_are_those_worked_out_by_hand() -> None:
    got = np.array([[1.0, 2.5], [-4.0, 0.25]], np.float32)
    want = np.array([[1.0, 2.0], [-3.0, 0.0]])
    assert compare(got, want, dtype="float32") == Figures(
        max_abs=1.0,  # -4 for -3
        max_rel=1 / 3,  # there too: 0.5 / 2 is less, and 0.25 / 0 does not count
        max_ulp=0.25 / F32_TINY,
        rms=math.sqrt((0.25 + 1.0 + 0.0625) / 4),
        mismatched=3,
        nonfinite=0,
        total=4,
        worst_at=(1, 0),
    )


@dataclass
class Brute:
    """The figures again, element by element in Python's own numbers."""

    got: Array
    want: Array

    def __post_init__(self) -> None:
        pairs = zip(self.got.flat, self.want.flat, strict=True)
        self.values = [(abs(float(g) - float(w)), abs(float(w))) for g, w in pairs]
        self.max_abs = max(error for error, _ in self.values)
        self.max_rel = max(error / size for error, size in self.values if size)
        self.rms = math.sqrt(math.fsum(e * e for e, _ in self.values) / self.got.size)
        self.unequal = sum(error != 0 for error, _ in self.values)
        at = [error for error, _ in self.values].index(self.max_abs)
        self.worst_at = tuple(map(int, np.unravel_index(at, self.got.shape)))


@pytest.mark.parametrize("seed", range(3))
def test_figures_of_arrays_larger_than_a_block_match_brute_force(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (3, BLOCK // 7, 5)
    want = random.uniform(-1, 1, shape)
    want[random.uniform(size=shape) < 0.01] = 0.0
    got = (want + random.normal(scale=1e-3, size=shape)).astype(np.float32)
    got[:2][random.uniform(size=got[:2].shape) < 0.5] = 0.0
    brute = Brute(got, want)
    assert got.size > 2 * BLOCK
    figures = compare(got, want, dtype="float32")
    assert figures.max_abs == brute.max_abs
    assert figures.max_rel == brute.max_rel
    assert figures.rms == pytest.approx(brute.rms, rel=1e-12)
    assert figures.mismatched == brute.unequal
    assert (figures.nonfinite, figures.total) == (0, got.size)
    assert figures.worst_at == brute.worst_at


@pytest.mark.parametrize(
    "at", [0, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK]
)
def test_one_wrong_element_is_found_wherever_it_is(at: int) -> None:
    want = np.ones((2 * BLOCK + 1, 1))
    got = want.copy()
    got[at] = 1.5
    figures = compare(got, want, dtype="float64")
    assert (figures.max_abs, figures.mismatched) == (0.5, 1)
    assert figures.worst_at == (at, 0)
    got[at] = np.nan
    broken = compare(got, want, dtype="float64")
    assert (broken.max_abs, broken.nonfinite, broken.worst_at) == (0.0, 1, (at, 0))


def test_the_first_of_equally_bad_elements_is_named() -> None:
    assert of([1, 2, 3, 2], [1, 1, 2, 1]).worst_at == (1,)
    ones = np.ones(2 * BLOCK)
    assert compare(ones, 0 * ones, dtype="float64").worst_at == (0,)


@pytest.mark.parametrize("processors", [2, 3, 7])
@pytest.mark.parametrize("broken", [(), (5,), (5, 2990), (1001, 2004)])
def test_parts_on_processors_of_their_own_give_the_figures_of_the_whole(
    processors: int, broken: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(processors)
    want = random.standard_normal((1000, 3))
    got = want + random.standard_normal(want.shape) / 1000
    got[[100, 900]], want[[100, 900]] = 9, 0  # equally bad
    got.reshape(-1)[[*broken]] = np.nan
    whole = compare(got, want, dtype="float64")
    monkeypatch.setattr(module, "_PART", 300)
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    parts = compare(got, want, dtype="float64")
    assert parts.rms == pytest.approx(whole.rms, rel=1e-12)
    assert replace(parts, rms=None) == replace(whole, rms=None)
    assert whole.worst_at == np.unravel_index(broken[0] if broken else 300, want.shape)


def test_strides_and_order_in_memory_do_not_matter() -> None:
    want = np.arange(24.0).reshape(2, 3, 4)
    got = want.copy()
    got[1, 2, 0] += 1
    figures = compare(np.asfortranarray(got).T, want.T, dtype="float64")
    assert figures.worst_at == (0, 2, 1)
    assert figures.mismatched == 1


def test_want_of_higher_precision_is_not_rounded_first() -> None:
    figures = compare(np.array([0.1], np.float32), np.array([0.1]), dtype="float32")
    away = float(np.float32(0.1)) - 0.1
    assert figures.max_abs == away > 0
    assert figures.max_ulp == away / 2.0**-27
    assert figures.mismatched == 1


@pytest.mark.parametrize(
    ("got", "want", "ulps"),
    [
        (1.0 + 2.0**-23, 1.0, 1.0),
        (1.0 - 2.0**-24, 1.0, 0.5),  # the unit is that of want, not of got
        (1.0, 1.0 - 2.0**-24, 1.0),
        (2.0, 1.0, 2.0**23),
        (-3.0, -3.0 + 2.0**-21, 2.0),
        (F32_TINY, 0.0, 1.0),
        (0.0, 3 * F32_TINY, 3.0),
        (2.0**-126, 2.0**-126 - F32_TINY, 1.0),
        (2.0**-126 + F32_TINY, 2.0**-126, 1.0),
        (-0.0, 0.0, 0.0),
    ],
)
def test_ulps_of_float32_are_those_of_want(
    got: float, want: float, ulps: float
) -> None:
    assert of([got], [want], "float32").max_ulp == ulps


def test_ulps_of_float64_are_finer() -> None:
    assert of([1.0 + 2.0**-23], [1.0]).max_ulp == 2.0**29
    assert of([5e-324], [0.0]).max_ulp == 1.0


def test_zero_denominators_do_not_count_as_relative() -> None:
    assert of([0.5, 2.0], [0.0, 1.6]).max_rel == pytest.approx(0.25)
    only_zero = of([0.5, 0.0], [0.0, -0.0])
    assert (only_zero.max_rel, only_zero.max_abs) == (None, 0.5)


def test_elements_that_are_not_finite_are_counted_and_kept_out_of_the_rest() -> None:
    got = [np.nan, 1.0, np.inf, np.inf, 5.0, 2.5, 7.0]
    want = [1.0, np.nan, np.inf, -np.inf, -np.inf, 2.0, 7.0]
    figures = of(got, want)
    assert (figures.nonfinite, figures.mismatched, figures.total) == (5, 6, 7)
    assert (figures.max_abs, figures.max_rel) == (0.5, 0.25)
    assert figures.rms == math.sqrt(0.25 / 2)
    assert figures.worst_at == (0,)


def test_without_one_finite_element_there_is_no_figure() -> None:
    figures = of([np.nan, np.inf], [0.0, 0.0])
    assert figures == Figures(None, None, None, None, 2, 2, 2, worst_at=(0,))


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2)])
def test_empty_arrays_have_no_figure_and_no_mismatch(shape: tuple[int, ...]) -> None:
    figures = compare(np.zeros(shape), np.zeros(shape), dtype="float32")
    assert figures == Figures(None, None, None, None, 0, 0, 0, None)


def test_arrays_of_different_shapes_are_not_compared() -> None:
    a, b = np.zeros((2, 3)), np.zeros((3, 2))
    for got, want in ((a, b), (a, a[0])):
        with pytest.raises(ValueError, match=r"shapes differ: \("):
            compare(got, want, dtype="float64")


@pytest.mark.parametrize(("got", "want"), [(1e200, 0.0), (1e150, 1e-300)])
def test_figures_of_huge_deviations_are_finite_or_null(got: float, want: float) -> None:
    figures = of([got], [want])
    assert figures.max_abs == got
    assert all(v is None or math.isfinite(v) for v in (figures.max_rel, figures.rms))


def test_an_element_too_large_for_the_dtype_does_not_hide_the_ulps_of_others() -> None:
    figures = compare(np.array([1e300, 1.5]), np.array([1e300, 1.0]), dtype="float32")
    assert figures.max_ulp is not None
    assert figures.max_ulp >= 2.0**22


def bits(random: np.random.Generator, size: int, dtype: str) -> Array:
    """Draw numbers of every exponent: normal, subnormal, infinite, and NaN."""
    return np.frombuffer(random.bytes(size * np.dtype(dtype).itemsize), dtype)


def near(random: np.random.Generator, want: Array) -> Array:
    """Draw what is some ulp from numbers, or equal."""
    steps = random.integers(-3, 4, want.size)
    return (
        (want.view(f"i{want.itemsize}") + steps)
        .astype(f"i{want.itemsize}")
        .view(want.dtype)
    )


def element_by_element(got: Array, want: Array, dtype: str) -> Figures:
    """Give the figures by the steps that take anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module._Quick, "add", lambda *_: False)
        return compare(got, want, dtype=dtype)


KINDS = "any", "near", "tame", "rectified", "subnormal here and there", "tiny", "large"


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("dtype", "like"), [("float32", "same"), ("float32", "wide"), ("float64", "same")]
)
@pytest.mark.parametrize("kind", KINDS)
def test_quick_figures_are_those_of_careful_steps(
    kind: str, dtype: str, like: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    size = BLOCK + 1000
    want = random.standard_normal(size).astype(dtype)
    got = (want + random.standard_normal(size) * 1e-4).astype(dtype)
    if kind in {"any", "near"}:
        want = bits(random, size, dtype)
        got = bits(random, size, dtype) if kind == "any" else near(random, want)
    elif kind == "rectified":
        got, want = np.maximum(got, 0), np.maximum(want, 0)
    elif kind == "subnormal here and there":
        want[::10] *= np.finfo(dtype).smallest_normal / 64
        got[::10] = 50 * want[::10]
    elif kind != "tame":
        scale = np.array({"tiny": 1e-36, "large": 1e30}[kind], dtype)
        got, want = got * scale, want * scale
    if like == "wide":
        with np.errstate(invalid="ignore"):  # NaN that signal
            want = want.astype(np.float64)
    quick = compare(got, want, dtype=dtype)
    slow = element_by_element(got, want, dtype)
    for name in ("max_abs", "max_rel", "max_ulp", "rms"):
        mine, other = getattr(quick, name), getattr(slow, name)
        if other is None:
            assert mine is None, name
        else:
            assert mine == pytest.approx(other, rel=2e-6, abs=0), name
    for name in ("mismatched", "nonfinite", "total"):
        assert getattr(quick, name) == getattr(slow, name), name
    if quick.worst_at != slow.worst_at:  # of errors that are equal but for rounding
        assert quick.worst_at
        assert slow.worst_at
        one, other = (
            abs(float(got[at]) - float(want[at]))
            for at in (quick.worst_at[0], slow.worst_at[0])
        )
        assert one == pytest.approx(other, rel=2e-7)


def test_a_subnormal_number_of_a_later_block_counts_as_relative() -> None:
    want = np.ones(2 * BLOCK, np.float32)
    got = want * np.float32(1 + 1e-3)
    want[-1], got[-1] = F32_TINY, 8 * F32_TINY
    figures = compare(got, want, dtype="float32")
    assert figures.max_rel == 7
    assert figures.max_abs == pytest.approx(1e-3, rel=1e-4)


@pytest.mark.parametrize(
    ("first", "later", "max_rel", "max_ulp"),
    [
        ((1.0, 2.0**-10), (1.0, 2.0**-9), 2.0**-9, 2.0**14),
        # More ulp, although it is a smaller share of a number nearer to the next power.
        ((1.0, 2.0**-10), (1.75, 1.5 * 2.0**-10), 2.0**-10, 1.5 * 2.0**13),
        # A larger share of a number, but no more ulp.
        ((1.75, 2.0**-10), (1.0, 0.75 * 2.0**-10), 0.75 * 2.0**-10, 2.0**13),
    ],
)
def test_what_a_later_block_has_more_of_is_seen(
    first: tuple[float, float],
    later: tuple[float, float],
    max_rel: float,
    max_ulp: float,
) -> None:
    want = np.repeat(np.array([first[0], later[0]], np.float32), BLOCK)
    got = want + np.repeat(np.array([first[1], later[1]], np.float32), BLOCK)
    figures = compare(got, want, dtype="float32")
    assert (figures.max_rel, figures.max_ulp) == (max_rel, max_ulp)


def test_beyond_a_dtype_an_ulp_is_that_of_its_largest_number() -> None:
    figures = compare(np.array([1e6 + 1]), np.array([1e6]), dtype="float16")
    assert figures.max_ulp == 1 / 32


def test_a_later_block_beyond_a_dtype_may_have_more_ulp_of_a_smaller_share() -> None:
    want = np.repeat([1.0, 1e6], BLOCK)
    got = want + np.repeat([2.0**-10, 256.0], BLOCK)
    assert compare(got, want, dtype="float16").max_ulp == 8
