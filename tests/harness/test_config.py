"""A repository's pyproject.toml gives defaults, and names no program to run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]


def write(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def results(folder: Path) -> list[dict[str, str]]:
    return list(json.loads((folder / "report.json").read_text("utf-8"))["results"])


def test_defaults_are_taken_and_the_command_line_has_the_last_word(
    command_line: Cli, tmp_path: Path
) -> None:
    write(
        tmp_path,
        """
        [tool.rnn-parity]
        backends = ["numpy"]
        variants = "basic,static"
        [tool.rnn-parity.run]
        out = "kept"
        """,
    )
    assert command_line("run")[0] == 0
    found = results(tmp_path / "kept")
    assert {of["backend"] for of in found} == {"numpy"}
    assert [of["case"] for of in found] == ["notebook-basic-f32", "notebook-static-f32"]
    assert command_line("run", "--variants", "dynamic", "--out", "other")[0] == 0
    assert [of["case"] for of in results(tmp_path / "other")] == [
        "notebook-dynamic-f32"
    ]


def test_the_nearest_table_counts_not_the_nearest_file(
    command_line: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, '[tool.rnn-parity]\nbackends = "numpy"\nvariants = "basic"')
    (tmp_path / "inner").mkdir()
    write(tmp_path / "inner", '[project]\nname = "x"')
    monkeypatch.chdir(tmp_path / "inner")
    assert command_line("run", "--out", "here")[0] == 0
    assert len(results(tmp_path / "inner/here")) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[tool.rnn-parity]\npython = "jax=/x"', "no program is run because a folder"),
        (
            '[tool.rnn-parity.run]\nhost = "jax=ssh:a"',
            "no program is run because a fol",
        ),
        ('[tool.rnn-parity]\nbackend = "numpy"', "did you mean backends?"),
        ("[tool.rnn-parity.rum]", "unknown command in"),
        ('[tool.rnn-parity]\nout = "x"', "unknown option in"),
        ("[tool.rnn-parity]\njobs = [1]", "jobs is list, expected text, a number"),
        ("[tool.rnn-parity]\njobs = -1", "no whole number from 0 on"),
        ("[tool.rnn-parity", "cannot read"),
    ],
)
def test_what_it_cannot_say_is_refused_in_words(
    text: str, words: str, command_line: Cli, tmp_path: Path
) -> None:
    write(tmp_path, text)
    status, _, err = command_line("run")
    assert status == 2
    assert words in " ".join(err.split())
    assert not (tmp_path / "parity-report").exists()
