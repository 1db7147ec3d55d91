"""A run's folder keeps what was written, and trusts nothing that it reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.store import folder
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.journal import Journal
from rnn_parity.store.record import JournalLine
from rnn_parity_core import FileError, Problem
from rnn_parity_core.arrays import pack
from rnn_parity_fixtures import catalogue
from support import bits_equal

Snapshot = Callable[[Path], dict[str, bytes | None]]

HOSTILE = (
    "../../x",
    "a/b",
    "a%2Fb",
    "..",
    ".",
    "/etc/x",
    "jax:eager",
    "jax_eager",
    "jax%3Aeager",
    "jax eager",
    "nul\0byte",
    "…",
)


def refusal(act: Callable[[], object]) -> str:
    """Give the text of the FileError, which must be one line."""
    with pytest.raises(FileError) as caught:
        act()
    text = str(caught.value)
    assert text
    assert len(text.splitlines()) == 1
    return text


@pytest.mark.parametrize("name", ["notebook", "standard"])
def test_a_problem_comes_back_to_the_last_bit_with_its_published_tables(
    name: str, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    for case in catalogue.select([name], [], ["float32", "float64"]):
        problem = catalogue.build(case)
        folder.write_problem(problem)
        back = folder.problem(case)
        assert back.case == case
        assert bool(back.published) == (name == "notebook")
        for mine, its in (
            (problem.arrays, back.arrays),
            (problem.published, back.published),
        ):
            assert mine.keys() == its.keys()
            assert all(bits_equal(mine[key], its[key]) for key in mine)
            assert not any(array.flags.writeable for array in its.values())


# Somebody else's run.json does not make a folder ours: see the third one.
@pytest.mark.parametrize(
    "files",
    [
        {"thesis.tex": b"x"},
        {"problems/mine": b"x", "logs/mine": b"x", "report.json": b"{}"},
        {"run.json": b'{"tool": "other"}', "logs/mine": b"x", "report.json": b"{}"},
    ],
)
def test_a_folder_that_holds_no_run_is_refused_and_left_alone(
    files: dict[str, bytes], tmp_path: Path, snapshot: Snapshot
) -> None:
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    before = snapshot(tmp_path)
    try:
        words = refusal(RunFolder(tmp_path).prepare)
    finally:
        assert snapshot(tmp_path) == before
    assert "holds no run of rnn-parity" in words


def test_an_earlier_run_is_replaced_and_other_files_beside_it_are_kept(
    copy: Path, snapshot: Snapshot
) -> None:
    (copy / "notes.txt").write_text("mine")
    RunFolder(copy).prepare()
    left = snapshot(copy)
    assert left.pop("notes.txt") == b"mine"
    assert left.pop("run.json")
    assert left == {"problems": None, "outcomes": None, "logs": None}


def test_a_place_that_cannot_be_written_is_refused(
    problem: Problem, tmp_path: Path, snapshot: Snapshot
) -> None:
    (tmp_path / "file").write_text("x")
    below = RunFolder(tmp_path / "file" / "run")
    assert "cannot write to" in refusal(below.prepare)
    assert "cannot write" in refusal(lambda: below.write_problem(problem))
    assert snapshot(tmp_path) == {"file": b"x"}


def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, snapshot: Snapshot
) -> None:
    (tmp_path / "report.json").mkdir()
    assert "cannot write" in refusal(
        lambda: RunFolder(tmp_path).write("report.json", b"x")
    )
    assert snapshot(tmp_path) == {"report.json": None}


def test_backend_names_stay_in_the_folder_and_apart(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.prepare()
    for name in HOSTILE:
        data = pack({"outputs": np.zeros(1)}, {"case": "c", "name": name})
        folder.write_outcome(name, "c", data)
        folder.log(name).write_text(name)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert len(list(folder.path.glob("outcomes/*/c.safetensors"))) == len(HOSTILE)
    assert {folder.log(name).read_text() for name in HOSTILE} == set(HOSTILE)
    assert len(list((folder.path / "logs").iterdir())) == len(HOSTILE)


@pytest.mark.parametrize("first", ["journal", "record"])
def test_a_run_that_ends_while_it_is_read_is_read_whole(
    first: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its journal goes once run.json has all, between any two moments of ours."""
    run = RunFolder(copy)
    whole = run.record()
    run.write_record(replace(whole, entries=[]))
    for entry in whole.entries:
        run.journal.append(JournalLine(entry=entry))
    read = {"journal": Journal.lines, "record": folder.read_record}

    def then_it_ends(*arguments: Any) -> Any:
        found = read[first](*arguments)
        RunFolder(copy).finish(whole)
        return found

    where = {"journal": (Journal, "lines"), "record": (folder, "read_record")}
    monkeypatch.setattr(*where[first], then_it_ends)
    assert run.record().entries == whole.entries


def test_a_journal_that_is_gone_when_it_is_read_has_no_lines(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = RunFolder(copy).journal
    monkeypatch.setattr(Path, "exists", lambda _: False)  # it was there a moment ago
    assert journal.lines() == []
