"""A cell conforms, and each check of it is seen to fail."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from rnn_parity import CellConformance
from rnn_parity.adapter_tools import cell_proof
from rnn_parity.adapter_tools.cell_proof import CellProof, Check, checks, prove_cell
from rnn_parity.cli import app
from rnn_parity.terminal.cells import show_cell_proof
from rnn_parity_core import CELLS, Cell
from rnn_parity_core import functions as f
from rnn_parity_core.cell import Activation, Mistake
from rnn_parity_core.exit_status import Exit

FEW = 40


def step(ops: Any, x: Any, state: Any, w: Any, *, activation: Any) -> dict[str, Any]:
    from_x = ops.affine([(x, w["kernel"])], w["bias"])
    return {
        "h": activation(ops, ops.add(from_x, ops.scale(state["h"], w["recurrent"])))
    }


def by_hand(x: Any, state: Any, w: Any, *, activation: Any) -> dict[str, Any]:
    total = x @ w["kernel"] + w["recurrent"] * state["h"]
    return {"h": activation(total + w["bias"] if "bias" in w else total)}


SMALL = Cell(
    "small_cell",
    "a tanh of inputs and of each unit's own state",
    {"kernel": "IG", "recurrent": "H", "bias": "G"},
    {"h": "R"},
    step,
    by_hand,
    gates=("h",),
    activations={"activation": Activation(f.TANH)},
)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no cell behind that a test added."""
    monkeypatch.setattr(CELLS, "_known", dict(CELLS._known))
    monkeypatch.setattr(CELLS, "_origins", dict(CELLS._origins))


def check(name: str, cell: Cell = SMALL, **changes: Any) -> Check:
    CELLS.add(replace(cell, **changes))
    return checks(cell.name, FEW)[name]()


NEWER = [name for name in CELLS.built_in if name not in CELLS.in_suites]
NAMES = ("by hand", "bounds", "gradients", "weights", "mistakes")


@pytest.mark.parametrize("name", NAMES)
def test_a_right_cell_passes(name: str) -> None:
    found = check(name)
    assert found.troubles == ()
    assert found.said


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cell", [*NEWER, "lstm.recurrent_hard_sigmoid"])
def test_what_no_suite_goes_through_conforms(cell: str, name: str) -> None:
    assert checks(cell, FEW)[name]().troubles == ()


OWN = f.Function(
    "ramp",
    "ramp",
    lambda x: np.where(x > 0, 0.5 * x, 0.25 * x),
    lambda x: np.where(x > 0, 0.5, 0.25),
    steepest=0.5,
    kinks=(0.0,),
    roundings=1,
    is_bounded=False,
)


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_may_have_a_function_of_its_own(name: str) -> None:
    found = check(name, activations={"activation": Activation(OWN)})
    assert found.troubles == ()


def test_where_nothing_is_computed_nothing_passes() -> None:
    # NumPy states no accuracy of it.
    found = checks("lstm.activation_silu", FEW)["by hand"]()
    assert found.said.startswith("0 of 0 cases pass")
    assert found.troubles == ("NumPy computes no case of cell:lstm.activation_silu",)


def wrong_sign(
    ops: Any, x: Any, state: Any, w: Any, *, activation: Any
) -> dict[str, Any]:
    from_x = ops.affine([(x, w["kernel"])], w["bias"])
    minus = ops.scale(ops.scale(state["h"], w["recurrent"]), -np.ones(1))
    return {"h": activation(ops, ops.add(from_x, minus))}


def test_a_wrong_sign_in_one_of_the_forms_is_found() -> None:
    found = check("by hand", step=wrong_sign)
    assert len(found.troubles) > 30
    assert "x its bound" in found.troubles[0]


def with_numbers(
    ops: Any, x: Any, state: Any, w: Any, *, activation: Any
) -> dict[str, Any]:
    half = ops.scale(ops.affine([(x, w["kernel"])], w["bias"]), np.full(1, 0.5))
    h = ops.shift(ops.scale(state["h"], w["recurrent"]), np.full(1, 0.25))
    return {"h": activation(ops, ops.add(half, h))}


@pytest.mark.parametrize("name", ["bounds", "gradients", "weights"])
def test_given_numbers_may_stand_where_weights_do(name: str) -> None:
    assert check(name, step=with_numbers).troubles == ()


def softsign(**changes: Any) -> Activation:
    plain = replace(f.SOFTSIGN, name="gentle", steepest_between=None)
    return Activation(replace(plain, **changes))


def test_a_function_that_states_too_gentle_a_slope_breaks_bounds() -> None:
    gentle = {"activation": softsign(steepest=1e-4)}
    found = check("bounds", activations=gentle)
    assert (
        "gentle has a slope of 1 at 0, and states 0.0001 at most" in found.troubles[0]
    )
    networks = [words for words in found.troubles if words.startswith("network ")]
    assert networks
    assert "though each operation is right" in networks[0]


def test_a_wrong_slope_is_found_in_gradients() -> None:
    def off(x: Any) -> Any:
        return 1.01 / np.square(1 + np.abs(x))

    right = check("gradients", activations={"activation": softsign()})
    assert right.troubles == ()
    found = check("gradients", activations={"activation": softsign(slope=off)})
    assert found.troubles[0].startswith("gentle states the slope ")
    assert any("gradient by layer0.forward.kernel is" in t for t in found.troubles)


def test_a_weight_that_is_not_used_is_named() -> None:
    weights = {**SMALL.weights, "spare": "H"}
    found = check("weights", weights=weights)
    (said,) = found.troubles
    assert said.startswith("spare: no case shows a change of it")


def test_a_mistake_that_changes_nothing_is_named() -> None:
    own = {"tanh by another name": Mistake({"activation": f.TANH})}
    found = check("mistakes", own_mistakes=own)
    assert found.troubles == ("tanh by another name: no case of the suite shows it",)
    assert found.said.startswith("6 of 7 caught, 5 named")


def test_what_a_step_raises_is_a_trouble_of_the_check() -> None:
    def broken(
        ops: Any, x: Any, state: Any, w: Any, *, activation: Any
    ) -> dict[str, Any]:
        del ops, x, state, activation
        return {"h": w["nothing"]}

    found = check("weights", step=broken)
    assert found.troubles == ("KeyError: 'nothing'",)


def test_a_proof_is_counted_and_shown_within_25_lines() -> None:
    CELLS.add(replace(SMALL, step=wrong_sign))
    told: list[str] = []
    proof = prove_cell(SMALL.name, 5, told.append)
    assert told == [*NAMES]
    assert proof.exit_status == Exit.DIFFERS
    screen = io.StringIO()
    show_cell_proof(Console(file=screen, width=80), proof)
    lines = screen.getvalue().splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("✗ small_cell does not conform: see by hand")


def test_a_proof_of_many_long_troubles_is_still_short() -> None:
    bad = [Check(name, "x" * 90, ("y " * 200,) * 50) for name in NAMES]
    proof = CellProof("small_cell", bad)
    screen = io.StringIO()
    show_cell_proof(Console(file=screen, width=80), proof)
    assert len(screen.getvalue().splitlines()) <= 25


def test_the_command_proves_a_cell_and_says_of_what_there_is_none() -> None:
    done = CliRunner().invoke(app, ["conform-cell", "rnn_tanh", "--networks", "5"])
    assert done.exit_code == 0, done.output
    assert "✓ rnn_tanh conforms" in done.output
    done = CliRunner().invoke(app, ["conform-cell", "rnn_tahn"])
    assert "did you mean rnn_tanh" in str(done.exception)
    CELLS.add(replace(SMALL, step=wrong_sign))
    command = ["conform-cell", "small_cell", "--networks", "2", "--format", "json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1


def test_the_class_is_the_same(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from rnn_parity import CellConformance
        from rnn_parity_core import CELLS

        class TestOwn(CellConformance):
            cell = CELLS["rnn_relu"]
            networks = 10
        """
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=5)


def test_the_class_fails_with_the_words_of_the_check() -> None:
    class Own(CellConformance):
        cell = replace(SMALL, step=wrong_sign)
        networks = FEW

    with pytest.raises(pytest.fail.Exception, match="x its bound"):
        Own().test_both_forms_agree()
    assert cell_proof.NETWORKS >= 200
