"""A case's ID is enough: the same bytes again, whatever is around it."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from rnn_parity_reports.moved import moved
from rnn_parity_reports.results import Report, encode, read_report_document
from support import OURS, installed

CASES = (
    "notebook-dynamic-f32",
    "lstm-variable_input-B3-T7-D4-H5-L2-bidirectional-f32-s1",
    "gru-dynamic-B3-T7-D4-H5-gradient-f64-s1",
    "rnn_tanh-dynamic-B16-T40-D32-H64-G2-f32-s7",
)
# Nothing of this may move a bit: hashes, languages, clocks.
AROUND = (
    {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC", "LANG": "C"},
    {"PYTHONHASHSEED": "4711", "LC_ALL": "C.UTF-8", "TZ": "Asia/Kathmandu"},
)
# Digests of the files of a sample of every suite's problems, in either order.
SAMPLE = """
import hashlib, sys
from rnn_parity_fixtures import catalogue
from rnn_parity_core.cases import spread
from rnn_parity.store.folder import RunFolder
from pathlib import Path
named = [*catalogue.suites(), "random:40:7"]
cases = [c for name in named for c in spread(catalogue.select([name], [], []), 40)]
folder = RunFolder(Path("run"))
folder.path.mkdir()
for case in cases if sys.argv[1] == "forth" else reversed(cases):
    folder.write_problem(catalogue.build(catalogue.case_from_id(case.id)))
"""

Run = Callable[..., Path]


def _environment(around: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **around, "PYTHONPATH": OURS}


def _digests(folder: Path) -> dict[str, str]:
    """Give the digests of all files of problems and outcomes, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.safetensors"))
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Give a function that computes cases by the command line, in a new folder."""

    def made(name: str, backend: str, *arguments: str, around: dict[str, str]) -> Path:
        (tmp_path / name).mkdir()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "rnn_parity", "run", "--out", "out"),
                *("--backends", backend, *arguments),
            ],
            cwd=tmp_path / name,
            env=_environment(around),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return tmp_path / name / "out"

    return made


def _timeless(report: Report) -> dict[tuple[str, str], Any]:
    """Give all that a report says of each case, and of the backends, but times."""
    results: dict[tuple[str, str], Any] = {
        (r.case, r.backend): msgspec.to_builtins(replace(r, seconds=None))
        for r in report.results
    }
    results["backends", ""] = msgspec.to_builtins(report.backends)
    environment = replace(report.environment, started="")
    results["environment", ""] = msgspec.to_builtins(environment)
    return results


def test_problems_of_all_suites_are_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    found = []
    for order, around in zip(("forth", "back"), AROUND, strict=True):
        (tmp_path / order).mkdir()
        subprocess.run(
            [sys.executable, "-c", SAMPLE, order],
            cwd=tmp_path / order,
            env=_environment(around),
            check=True,
        )
        found.append(_digests(tmp_path / order))
    assert len(found[0]) > 120
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "backend",
    [
        "numpy",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("tensorflow", "torch", "jax")
        ),
    ],
)
def test_a_case_is_the_same_bytes_alone_among_others_and_elsewhere(
    backend: str, run: Run
) -> None:
    installed(backend)
    forth, back = ",".join(CASES), ",".join(reversed(CASES))
    first = run("first", backend, "--cases", forth, "--jobs", "1", around=AROUND[0])
    again = run("again", backend, "--cases", back, "--jobs", "4", around=AROUND[1])
    assert len(_digests(first)) > len(CASES) + 2, "outcomes are missing"
    assert _digests(first) == _digests(again)
    reports = [read_report_document(path) for path in (first, again)]
    assert _timeless(reports[0]) == _timeless(reports[1])
    alone = run("alone", backend, "--cases", CASES[-1], around=AROUND[1])
    of_one = _digests(alone)
    assert len(of_one) == 2
    assert of_one.items() <= _digests(first).items()


def test_two_reports_of_the_same_cases_are_the_same_bytes_but_for_times(
    run: Run,
) -> None:
    texts = []
    for name, around in zip(("one", "two"), AROUND, strict=True):
        path = run(name, "numpy", "--cases", ",".join(CASES), around=around)
        report = read_report_document(path)
        assert encode(report) == (path / "report.json").read_bytes()
        results = [replace(r, seconds=None) for r in report.results]
        environment = replace(report.environment, started="")
        texts.append(encode(replace(report, results=results, environment=environment)))
    assert texts[0] == texts[1]


RECORDED = {
    "numpy": ({"numpy"}, {"blas", "simd"}),
    "tensorflow": (
        {"tensorflow", "keras", "numpy"},
        {"onednn", "tf32", "deterministic", "jit", "intra_op_threads"},
    ),
    "torch": (
        {"torch", "numpy"},
        {"threads", "float32_matmul_precision", "mkldnn", "cpu_capability"},
    ),
    "jax": ({"jax", "jaxlib"}, {"threads", "xla_flags", "default_matmul_precision"}),
}


@pytest.mark.parametrize("backend", RECORDED)
def test_what_may_move_a_number_is_recorded(
    backend: str, workers: Callable[[str], Any]
) -> None:
    record = workers(backend).load(installed(backend))
    versions, settings = RECORDED[backend]
    assert versions - {"numpy"} <= record.versions.keys()
    assert settings <= record.settings.keys()
    assert record.python.startswith("3.")
    assert record.interpreter


def test_a_machine_is_recorded_and_every_difference_of_two_is_said(run: Run) -> None:
    old = read_report_document(
        run("old", "numpy", "--cases", CASES[0], around=AROUND[0])
    )
    here = old.environment
    assert here.cpu
    assert here.platform
    assert here.python
    assert here.threads >= 1
    there = replace(here, cpu="another", threads=here.threads + 1)
    record = old.backends["numpy"]
    other = replace(record, settings={**record.settings, "blas": "another"})
    new = replace(old, environment=there, backends={"numpy": other})
    said = {(d.what, d.name, d.new) for d in moved(old, new).differences}
    assert said == {
        ("machine", "cpu", "another"),
        ("machine", "threads", str(here.threads + 1)),
        ("setting", "blas", "another"),
    }


@pytest.mark.slow
def test_a_switch_of_the_environment_is_said_where_numbers_may_have_moved(
    run: Run,
) -> None:
    installed("tensorflow")
    off = {**AROUND[0], "TF_ENABLE_ONEDNN_OPTS": "0"}
    paths = [
        run(name, "tensorflow", "--cases", CASES[-1], around=around)
        for name, around in (("on", AROUND[0]), ("off", off))
    ]
    done = subprocess.run(
        [sys.executable, "-m", "rnn_parity", "compare", *map(str, paths)],
        env=_environment({"COLUMNS": "200"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "onednn" in done.stdout
