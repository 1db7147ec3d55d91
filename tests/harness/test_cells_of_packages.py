"""Cells of other distributions: found everywhere, and refused where they are none."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rnn_parity_core import CELLS, Cell, ParityError
from rnn_parity_core import functions as f
from rnn_parity_core.cell import Mistake
from rnn_parity_core.cells import Cells
from rnn_parity_core.cells.rnn import RNN_TANH
from support import OURS

OWN = replace(RNN_TANH, name="own_cell")
MODULE = """
from dataclasses import replace
from rnn_parity_core.cells.rnn import RNN_TANH
CELL = replace(RNN_TANH, name="own_cell")
"""

Done = subprocess.CompletedProcess[str]
Installed = Callable[..., Callable[..., Done]]


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """Give what installs modules with a cell, and then gives a command of ours."""

    def install(**modules: str) -> Callable[..., Done]:
        for name, source in modules.items():
            about = tmp_path / f"{name}-1.0.dist-info"
            about.mkdir()
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n")
            points = f"[rnn_parity.cells]\npoint = {name}:CELL\n"
            (about / "entry_points.txt").write_text(points)
            (tmp_path / f"{name}.py").write_text(source)

        def run(*arguments: str) -> Done:
            paths = f"{tmp_path}{os.pathsep}{OURS}"
            return subprocess.run(
                [sys.executable, "-m", "rnn_parity", *arguments],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "100"},
                capture_output=True,
                text=True,
                check=False,
            )

        return run

    return install


def test_a_cell_of_a_package_runs_in_a_worker_and_is_listed(
    installed: Installed,
) -> None:
    command = installed(acme=MODULE)
    case = "own_cell-dynamic-B3-T7-D4-H5-f32-s1"
    done = command("run", "--cases", case, "--backends", "numpy", "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 pass of 1" in done.stdout
    assert "own_cell dynamic" in command("backends", "--matrix").stdout
    listed = command("cases", "cell:own_cell").stdout
    assert case in listed
    assert ", own_cell" in command("cases").stdout
    unknown = command("run", "--cases", "cell:own_sell")
    assert unknown.returncode == 2
    assert "unknown cell 'own_sell'; did you mean own_cell" in unknown.stderr


WRONG = {
    "raises": ("1 / 0", "cannot be loaded: ZeroDivisionError"),
    "no cell": ("CELL = 1", "is a int, expected a Cell"),
    "a built-in name": (
        MODULE.replace("own_cell", "rnn_relu"),
        "takes the name 'rnn_relu' of a cell, which rnn-parity itself has",
    ),
    "no axes": (
        f"{MODULE}CELL = replace(CELL, weights={{'kernel': 'IX'}})",
        "weights['kernel'] of the cell has the axes 'IX'; give one letter each",
    ),
}


@pytest.mark.parametrize(("source", "words"), WRONG.values(), ids=WRONG)
def test_what_is_registered_wrongly_is_one_line_that_names_the_package(
    source: str, words: str, installed: Installed
) -> None:
    done = installed(acme=source)("cases", "cell:own_cell")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("rnn-parity: entry point point = 'acme:CELL'")
    assert words in line


def test_two_packages_with_one_name_are_both_named(installed: Installed) -> None:
    other = MODULE.replace('"own_cell"', '"own_cell", source="elsewhere"')
    done = installed(acme=MODULE, bcme=other)("cases", "cell:own_cell")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "'acme:CELL'" in line
    assert "'bcme:CELL'" in line
    assert "give it another name, or uninstall one of the two" in line


def no_step() -> dict[str, Any]:
    return {}


def changed(**changes: Any) -> Cell:
    return replace(OWN, **changes)


MALFORMED: dict[str, tuple[Cell, str]] = {
    "name": (changed(name="Own-Cell"), "name of the cell is 'Own-Cell', which is no"),
    "dotted": (changed(name="own.cell"), "name of the cell is 'own.cell'"),
    "long": (changed(name="a" * 41), "give up to 40 lower-case letters"),
    "axes": (changed(weights={"kernel": "IB"}), "has the axes 'IB'; give one letter"),
    "no axes": (changed(weights={"kernel": ""}), "has the axes ''; give one letter"),
    "weights": (changed(weights={}), "weights of the cell are none; give a mapping"),
    "weight": (changed(weights={"a.b": "IG"}), "weights of the cell have the name"),
    "states": (changed(states={}), "states of the cell are none"),
    "state": (changed(states={"h-1": "R"}), "states of the cell have the name 'h-1'"),
    "of inputs": (changed(states={"h": "I"}), "states['h'] of the cell has the axes"),
    "gates": (changed(gates=()), "gates of the cell are none, yet an axis is G"),
    "projection": (
        changed(weights={**OWN.weights, "back": "PH"}),
        "have an axis P, and no weight 'projection'",
    ),
    "no step": (changed(step=None), "step of the cell is no function of (ops, x, "),
    "step": (changed(step=no_step), "step of the cell is no function of (ops, x, "),
    "by hand": (changed(by_hand=no_step), "by_hand of the cell is no function of (x, "),
    "activation": (
        changed(activations={"activation": f.TANH}),
        "activations['activation'] of the cell is no Activation of a Function",
    ),
    "mistake": (
        changed(own_mistakes={"off": Mistake({"carry": f.TANH})}),
        "own_mistakes['off'] of the cell changes carry, which the step takes no key",
    ),
    "no mistake": (
        changed(own_mistakes={"off": f.TANH}),
        "own_mistakes['off'] of the cell is no Mistake",
    ),
}


@pytest.mark.parametrize(("cell", "words"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_cell_is_refused_with_what_to_do(cell: Cell, words: str) -> None:
    with pytest.raises(ParityError) as caught:
        Cells((RNN_TANH,), ()).add(cell)
    (line,) = str(caught.value).splitlines()
    assert words in line
    assert line.startswith("what was added here: ")


def test_every_built_in_cell_is_sound_and_one_takes_no_other_ones_name() -> None:
    known = Cells((RNN_TANH,), ())
    for name in CELLS.built_in[1:]:
        known.add(CELLS[name])
    with pytest.raises(ParityError, match="which rnn-parity itself has"):
        known.add(replace(RNN_TANH, source="another"))
    known.add(OWN)
    assert known["own_cell"] is OWN
    assert known["own_cell.activation_relu"].activations["activation"].function.name
    other = replace(OWN, gates=("g",))
    known.add(other)  # in place of it
    assert known["own_cell"] is other
    assert known["own_cell.activation_relu"].gates == ("g",)
    assert not known.is_registered("own_cell")
    assert known.is_registered("rnn_tanh")
