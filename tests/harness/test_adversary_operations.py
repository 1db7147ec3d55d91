"""Layer norm and matrix states, held against legal implementations."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as struct_replace

from experimental import MATRIX, NORMED, experimental
from rnn_parity.adversary.choices import Choices
from rnn_parity.adversary.networks import draw
from rnn_parity.adversary.running import run
from rnn_parity.adversary.search import searched, tried
from rnn_parity.adversary.suite import judged, network
from rnn_parity.judge import rounded
from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.certify import certify
from rnn_parity_core import CELLS, Error
from rnn_parity_core.cell import Activation
from rnn_parity_core.functions import SOFTPLUS

__all__ = ["experimental"]
pytestmark = pytest.mark.usefixtures("experimental")

CELLS_HERE = NORMED.name, MATRIX.name
OTHERS = (
    "lstm.recurrent_hard_sigmoid",
    "gru.recurrent_hard_sigmoid_5",
    "lstm.activation_relu",
)


@pytest.mark.parametrize(("cells", "count"), [(CELLS_HERE, 120), (OTHERS, 120)])
def test_networks_are_within_their_bounds(cells: tuple[str, ...], count: int) -> None:
    rows = [judged(number, 0, cells) for number in range(count)]
    assert [row for row in rows if not row.ratio <= 1] == []
    assert {row.cell for row in rows} == set(cells)
    assert len({row.family for row in rows}) > 6


def test_the_search_comes_nearer_and_finds_nothing() -> None:
    for number in range(8):
        start = tried(network(number, CELLS_HERE), Choices(number))
        found = searched(start, 12, number)
        assert start.ratio <= found.ratio <= 1


SOFT = replace(
    CELLS["ind_rnn"],
    name="soft_rnn",
    activations={"activation": Activation(SOFTPLUS)},
    own_mistakes={},
    fitted=(),
)


def test_a_function_errs_by_all_that_is_stated_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CELLS._known, SOFT.name, SOFT)
    ratios = []
    for number in range(60):
        given = network(number, [SOFT.name])
        if given.accuracy.dtype != "float32":
            continue
        assert tried(given, Choices(number)).ratio <= 1
        less = {"softplus": Error(0.5)}
        told = struct_replace(given.accuracy, functions=less)
        outcome = run(given.problem, given.accuracy, Choices(number))
        with np.errstate(all="ignore"):
            found = certify(given.problem, outcome, told)
        ratios.append(found.bound_ratio)
    assert max(ratios) > 1


def _o_as_it_is(self: Any, o: Bounded, h: Any) -> Bounded:
    return TOLD_BY(self, o._replace(error=0 * o.error), h)


TOLD_BY = rounded.Rounded.told_by


def _worst(count: int) -> float:
    found = 0.0
    for seed in range(count):
        rng = np.random.default_rng([seed, 8])
        given = draw(
            rng, NORMED.name, "float32", "cancelling", layers=1, direction="forward"
        )
        found = max(found, tried(given, Choices(seed)).ratio)
        if found > 1:
            break
    return found


def test_a_c_told_by_a_gate_as_it_is_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _worst(20) <= 1
    monkeypatch.setattr(rounded.Rounded, "told_by", _o_as_it_is)
    assert _worst(300) > 1
