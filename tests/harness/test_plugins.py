"""A report format and a model format of another distribution are one file each."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import OURS

REPORT = '''
"""A report as text: one verdict a line."""

from rnn_parity_reports.formats import ReportFormat


def to_text(report):
    lines = [f"{r.verdict} {r.case} {r.backend}" for r in report.results]
    return "\\n".join(lines).encode() + b"\\n"


FORMAT = ReportFormat("plain", to_text)
'''
MODEL = '''
"""A layer as one JSON object: the arrays of a PyTorch LSTM, by its names."""

import json

import numpy as np

from rnn_parity.models import torch_state
from rnn_parity.models.formats import ModelFormat


def read(data, origin):
    arrays = {n: np.asarray(a, np.float32) for n, a in json.loads(data).items()}
    return torch_state.saved(arrays, origin)


FORMAT = ModelFormat("json", "numpy", (".jsonrnn",), read)
'''


def layer() -> dict[str, list[Any]]:
    """Give an LSTM of PyTorch's names as lists."""
    draw = np.random.default_rng(1)
    shapes = {"weight_ih_l0": (20, 4), "weight_hh_l0": (20, 5)}
    shapes |= {"bias_ih_l0": (20,), "bias_hh_l0": (20,)}
    return {name: draw.normal(size=shape).tolist() for name, shape in shapes.items()}


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def others(tmp_path: Path) -> Run:
    """Give a function that runs a command where a distribution has both formats."""
    site = tmp_path / "site"
    about = site / "acme_formats-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-formats\n")
    (about / "entry_points.txt").write_text(
        "[rnn_parity.reports]\nplain = acme_report:FORMAT\n"
        "[rnn_parity.models]\njson = acme_model:FORMAT\n"
    )
    (site / "acme_report.py").write_text(REPORT)
    (site / "acme_model.py").write_text(MODEL)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rnn_parity", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{OURS}"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_report_is_had_in_a_format_of_another_distribution(
    others: Run, copy: Path
) -> None:
    done = others("report", str(copy), "--format", "plain")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "pass notebook-basic-f32 numpy"
    unknown = others("report", str(copy), "--format", "plane")
    assert (unknown.returncode, "did you mean plain" in unknown.stderr) == (2, True)


def test_a_model_is_read_in_a_format_of_another_distribution(
    others: Run, tmp_path: Path
) -> None:
    file = tmp_path / "m.jsonrnn"
    file.write_text(json.dumps(layer()))
    done = others("verify", str(file), "--backends", "numpy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lstm, 1 layer, forward, 4 → 5 units, float32" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"plain"', '"html"', "takes the name 'html', which is in use"),
        ("FORMAT = ReportFormat(", "FORMAT = (", "is a tuple, expected a ReportFormat"),
        ("FORMAT = ", "OTHER = ", "cannot be loaded: AttributeError"),
    ],
)
def test_what_is_registered_wrongly_is_said_with_where_it_is_from(
    old: str, new: str, words: str, others: Run, copy: Path, tmp_path: Path
) -> None:
    file = tmp_path / "site/acme_report.py"
    file.write_text(REPORT.replace(old, new))
    done = others("report", str(copy), "--format", "plain")
    assert done.returncode == 2
    assert words in done.stderr
    assert "entry point plain = 'acme_report:FORMAT'" in done.stderr


def test_an_ending_that_is_taken_is_refused(others: Run, tmp_path: Path) -> None:
    (tmp_path / "site/acme_model.py").write_text(MODEL.replace(".jsonrnn", ".pt"))
    (tmp_path / "m.pt").write_bytes(b"x")
    done = others("verify", "m.pt")
    assert (done.returncode, "takes '.pt', which is in use" in done.stderr) == (2, True)


def test_a_convention_that_no_form_has_the_name_of_is_run_by_numpy(
    others: Run, tmp_path: Path
) -> None:
    named = MODEL.replace(
        "return torch_state.saved(arrays, origin)",
        "(one,) = torch_state.saved(arrays, origin)\n"
        "    return [replace(one, convention='theirs')]",
    ).replace("import json\n", "import json\nfrom dataclasses import replace\n")
    (tmp_path / "site/acme_model.py").write_text(named)
    (tmp_path / "m.jsonrnn").write_text(json.dumps(layer()))
    done = others("verify", "m.jsonrnn")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "by    numpy; on all" in done.stdout
