"""The count of false alarms: it goes on where it was, and counts what it should."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def counted(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.false_alarms", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_cases_are_computed_once_and_summed_up(tmp_path: Path) -> None:
    out = tmp_path / "numpy.jsonl"
    assert counted("numpy", "random:6:4", str(out)).returncode == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 6
    # A line that was cut short is computed again, and nothing else is.
    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:5]) + lines[5][:20] + "\n")
    assert counted("numpy", "random:6:4", str(out)).returncode == 0
    again = out.read_text().splitlines()
    assert [*again[:5], again[6]] == [line.strip() for line in lines]


def test_an_outcome_outside_its_bound_is_an_alarm(tmp_path: Path) -> None:
    out = tmp_path / "numpy.jsonl"
    counted("numpy", "rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1", str(out))
    row = json.loads(out.read_text())
    assert "| numpy | 1 | 0 | 0 |" in counted("--table", str(out)).stdout
    out.write_text(json.dumps({**row, "headroom": 1.5}) + "\n")
    found = counted("--table", str(out))
    assert "| numpy | 1 | 1 | 0 | 1.50 |" in found.stdout
    assert row["case"] in found.stderr


def test_wrong_words_show_how_it_is_used() -> None:
    found = counted("numpy")
    assert found.returncode == 1
    assert "--table" in found.stderr
