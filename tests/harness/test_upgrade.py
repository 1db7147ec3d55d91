"""Two saved runs: what regressed comes first, and by how much numbers moved is said."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.runs.upgrade import between_backends, between_runs
from rnn_parity.store.folder import RunFolder
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import FileError, Problem, UsageError
from rnn_parity_core.arrays import pack
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import plant

Cli = Callable[..., tuple[int, str, str]]

CASES = [
    catalogue.case_from_id(f"{cell}-dynamic-B3-T7-D4-H5-f32-s1")
    for cell in ("rnn_tanh", "gru")
]
FAULT = "bias dropped"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give runs `old`, `new` with a planted fault, and `both` with the two of them."""
    root = tmp_path_factory.mktemp("runs")
    broken = replace(plant(INFO, FAULT), name="numpy")
    both = [INFO, replace(broken, name="numpy#new")]
    for name, infos in (("old", [INFO]), ("new", [broken]), ("both", both)):
        judge_and_write(compute(CASES, infos, root / name, jobs=1, timeout=60))
    return root


def changed_outcome(runs: Path, to: Path, change: Callable[..., None]) -> Path:
    """Copy the old run and change the outputs of its first case."""
    shutil.copytree(runs / "old", to)
    folder = RunFolder(to)
    arrays = {n: np.array(a) for n, a in folder.outcome("numpy", CASES[0].id).items()}
    change(arrays)
    folder.write_outcome("numpy", CASES[0].id, pack(arrays, {"case": CASES[0].id}))
    return to


def test_a_planted_regression_is_the_first_thing_that_is_shown(
    runs: Path, command_line: Cli
) -> None:
    old, new = str(runs / "old"), str(runs / "new")
    status, out, err = command_line("compare", old, new)
    assert (status, err) == (1, "")
    assert out.splitlines()[0].startswith("✗ regressed numpy ")
    assert "pass 0." in out.splitlines()[0]
    assert "→ fail" in out.splitlines()[0]
    assert "bias dropped" in out
    assert out.splitlines()[-1].startswith("verdict      2 regressed; 0 of 2 unchanged")
    for form, first in (("markdown", "# What moved: 2 reg"), ("html", "<!doctype")):
        assert command_line("compare", old, new, "--format", form)[1].startswith(first)


def test_backwards_it_is_an_improvement(runs: Path, command_line: Cli) -> None:
    status, out, _ = command_line("compare", str(runs / "new"), str(runs / "old"))
    assert status == 0
    assert out.startswith("✓ improved numpy ")


def test_a_run_beside_itself_is_equal_to_the_last_bit(runs: Path) -> None:
    found = between_runs(runs / "old", runs / "old")
    assert [n.status for n in found.numbers] == ["equal", "equal"]
    assert (found.changes, found.differences, found.exit_status) == ([], [], 0)


def test_one_ulp_in_one_element_is_seen_where_it_is(runs: Path, tmp_path: Path) -> None:
    def change(arrays: dict[str, np.ndarray]) -> None:
        at = arrays["outputs"][1, 2, 3]
        arrays["outputs"][1, 2, 3] = np.nextafter(at, np.float32(9))

    new = changed_outcome(runs, tmp_path / "new", change)
    first, second = between_runs(runs / "old", new).numbers
    assert (first.case, first.status, second.status) == (CASES[0].id, "moved", "equal")
    (figures,) = first.arrays.values()
    assert (figures.mismatched, figures.worst_at) == (1, (1, 2, 3))
    assert figures.max_ulp == pytest.approx(1, rel=1e-6)


def test_the_sign_of_a_zero_counts_as_moved(runs: Path, tmp_path: Path) -> None:
    def positive(arrays: dict[str, np.ndarray]) -> None:
        arrays["outputs"][:] = 0

    def negative(arrays: dict[str, np.ndarray]) -> None:
        arrays["outputs"][:] = -0.0

    old = changed_outcome(runs, tmp_path / "old", positive)
    new = changed_outcome(runs, tmp_path / "new", negative)
    first = between_runs(old, new).numbers[0]
    assert (first.status, first.arrays["outputs"].max_abs) == ("moved", 0)


def test_an_outcome_of_another_shape_is_not_comparable(
    runs: Path, tmp_path: Path
) -> None:
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays["outputs"] = arrays["outputs"][:1]

    new = changed_outcome(runs, tmp_path / "new", change)
    found = {n.case: n for n in between_runs(runs / "old", new).numbers}
    assert found[CASES[0].id].status == "not comparable"
    assert "(3, 7, 5), is float32(1, 7, 5)" in found[CASES[0].id].note


def test_numbers_of_another_problem_are_not_compared(
    runs: Path, tmp_path: Path
) -> None:
    new = Path(shutil.copytree(runs / "old", tmp_path / "new"))
    folder = RunFolder(new)
    problem = folder.problem(CASES[0])
    other = {**problem.arrays, "inputs": problem["inputs"] / 2}
    folder.write_problem(Problem(problem.case, other))
    found = {n.case: n for n in between_runs(runs / "old", new).numbers}
    assert found[CASES[0].id].status == "other problem"
    assert found[CASES[1].id].status == "equal"


def test_two_backends_of_one_run_are_compared_as_two_runs_are(
    runs: Path, command_line: Cli
) -> None:
    both = str(runs / "both")
    status, out, _ = command_line("compare", both, "--between", "numpy,numpy#new")
    assert status == 1
    assert out.startswith("✗ regressed numpy#new ")
    assert "numpy#new: 0 equal to the last bit, 2 moved" in out
    of_two = between_runs(runs / "old", runs / "new")
    of_one = between_backends(runs / "both", "numpy", "numpy#new")
    assert [n.arrays for n in of_one.numbers] == [n.arrays for n in of_two.numbers]
    assert [c.new.verdict for c in of_one.changes] == ["fail", "fail"]


def test_json_is_written_to_a_file(
    runs: Path, command_line: Cli, tmp_path: Path
) -> None:
    names = [str(runs / name / "report.json") for name in ("old", "new")]
    command = ("compare", *names, "--format", "json", "--out", "deep/moved.json")
    assert command_line(*command) == (1, "", "")
    found = json.loads((tmp_path / "deep/moved.json").read_bytes())
    assert found["schema"] == "rnn-parity.moved/2"
    assert found["numbers"] == []  # reports alone hold no outcomes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--between", "numpy"], "needs one run and two backends of it"),
        (["{new}", "--between", "a,b"], "needs one run and two backends of it"),
        (["--between", "numpy,numpi"], "unknown backend of .* did you mean numpy"),
        (["--between", "numpy,numpy"], "names one backend twice"),
        (["--format", "html"], "--out, markdown and html are for what moved"),
        (["{new}", "--out", "x"], "a table is only shown"),
        (["{new}", "--jobs", "2"], "--jobs is for judging"),
        (["nowhere"], "cannot read nowhere"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(
    arguments: list[str], words: str, runs: Path, command_line: Cli
) -> None:
    given = [a.replace("{new}", str(runs / "new")) for a in arguments]
    status, out, err = command_line("compare", str(runs / "old"), *given)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    with pytest.raises(UsageError, match=words):
        raise UsageError(err)


def test_runs_without_a_common_case_are_refused(
    runs: Path, saved_run: RunFolder
) -> None:
    with pytest.raises(UsageError, match="no case on one backend in common"):
        between_runs(runs / "old", saved_run.path)


def test_a_broken_problem_is_named(runs: Path, tmp_path: Path) -> None:
    new = Path(shutil.copytree(runs / "old", tmp_path / "new"))
    (new / "problems" / f"{CASES[0].id}.safetensors").write_bytes(b"")
    with pytest.raises(FileError, match=CASES[0].id):
        between_runs(runs / "old", new)
