"""Real workers, real faults: a run survives them, and says what became of each."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.store.folder import RunFolder
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import BackendInfo, Gap
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import MISBEHAVIOUR, plant
from rnn_parity_reports.results import Report, Result

CASES = catalogue.select(["notebook"], ["basic", "dynamic"], ["float32"])
NAMES = [case.id for case in CASES]
GAP = Gap("notyet", "not written yet")
WRONG = Gap("wrong", "its first unit is off")
TIMEOUT = 1.5

Run = Callable[..., tuple[Report, RunFolder]]


def named(info: BackendInfo, name: str, **changes: object) -> BackendInfo:
    return replace(info, name=name, **changes)


def of(report: Report, backend: str) -> list[Result]:
    return [result for result in report.results if result.backend == backend]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, RunFolder]:
    """Give one run of every misbehaving backend, with a healthy one in their midst."""
    faulty = [plant(INFO, fault) for fault in MISBEHAVIOUR]
    infos = [
        *faulty[:3],
        INFO,
        *faulty[3:],
        named(plant(INFO, "declines"), "declares", gaps=(GAP,)),
        named(INFO, "stale", gaps=(GAP,)),
        named(plant(INFO, "one unit off by 1e-5"), "known", gaps=(WRONG,)),
        named(plant(INFO, "killed"), "known to crash", gaps=(WRONG,)),
        named(INFO, "mended", gaps=(WRONG,)),
        named(INFO, "broken", adapter="nonesuch_:Adapter"),
        named(INFO, "missing", requires={"nonesuch_": "nonesuch"}),
    ]
    out = tmp_path_factory.mktemp("crowd") / "run"
    folder = compute(CASES, infos, out, jobs=3, timeout=TIMEOUT)
    return judge_and_write(folder), folder


@pytest.mark.parametrize(
    ("backend", "verdict", "words"),
    [
        ("numpy+killed", "error", "the worker process was killed by SIGKILL"),
        ("numpy+exits", "error", "the worker process ended with status 7"),
        ("numpy+hangs", "error", "hung: no answer within 1.5 s; killed"),
        ("numpy+raises", "error", "RuntimeError: raised on purpose over two lines"),
        ("numpy+declines", "fail", "undeclared gap: declined on purpose"),
        ("declares", "gap", "notyet: not written yet"),
        ("stale", "fail", "stale gap: declared notyet (not written yet)"),
        ("known", "gap", "wrong: its first unit is off: outputs: "),
        ("known to crash", "gap", "wrong: its first unit is off: the worker process"),
        ("mended", "fail", "stale gap: declared wrong (its first unit is off), yet it"),
        ("broken", "error", "did not start: ModuleNotFoundError: "),
        ("missing", "absent", "nonesuch not installed; install with: pip"),
    ],
)
def test_a_misbehaving_backend_gets_a_verdict_in_one_line_for_every_case(
    backend: str, verdict: str, words: str, crowd: tuple[Report, RunFolder]
) -> None:
    results = of(crowd[0], backend)
    assert [result.case for result in results] == NAMES
    for result in results:
        assert result.verdict == verdict
        assert result.detail.startswith(words)
        assert len(result.detail.splitlines()) == 1
        assert result.bound_ratio is None


def test_a_healthy_backend_among_misbehaving_ones_gives_the_same_bytes_as_alone(
    crowd: tuple[Report, RunFolder], run: Run
) -> None:
    report, folder = crowd
    alone, its_folder = run(CASES, [INFO])
    for name in NAMES:
        file = f"outcomes/numpy/{name}.safetensors"
        assert (folder.path / file).read_bytes() == (
            its_folder.path / file
        ).read_bytes()
    together = [replace(result, seconds=None) for result in of(report, "numpy")]
    assert together == [replace(result, seconds=None) for result in alone.results]
    assert [result.verdict for result in together] == ["pass", "pass"]


def test_results_and_entries_come_in_the_order_of_cases_and_backends_asked_for(
    crowd: tuple[Report, RunFolder],
) -> None:
    report, folder = crowd
    record = folder.record()
    backends = [info.name for info in record.infos]
    assert [(r.case, r.backend) for r in report.results] == [
        (case, backend) for case in NAMES for backend in backends
    ]
    assert [(e.backend, e.case) for e in record.entries] == [
        (backend, case) for backend in backends for case in NAMES
    ]


def test_the_exit_status_puts_a_difference_first_then_errors_then_nothing_compared(
    crowd: tuple[Report, RunFolder],
) -> None:
    report, folder = crowd
    assert report.summary.expected == len(report.results) == 2 * 13
    assert report.exit_status == 1
    record = folder.record()

    def judged(*names: str) -> Report:
        infos = [info for info in record.infos if info.name in names]
        entries = [e for e in record.entries if e.backend in names]
        folder.write_record(replace(record, infos=infos, entries=entries))
        return judge_and_write(folder)

    try:
        assert judged("numpy").exit_status == 0
        assert judged("numpy", "missing", "declares").exit_status == 0
        assert judged("numpy", "numpy+killed").exit_status == 3
        assert judged("broken").exit_status == 3
        assert judged("numpy+killed", "numpy+declines").exit_status == 1
        assert judged("declares", "missing").exit_status == 2
        assert judged("numpy", "known", "known to crash").exit_status == 0
        assert judged("numpy", "mended").exit_status == 1
    finally:
        folder.write_record(record)


def test_a_run_that_was_cut_short_has_an_error_for_every_case_not_reached(
    run: Run,
) -> None:
    _, folder = run(CASES, [INFO])
    record = folder.record()
    folder.write_record(replace(record, entries=record.entries[:1]))
    report = judge_and_write(folder)
    assert [result.verdict for result in report.results] == ["pass", "error"]
    assert "the run ended before this was computed" in report.results[1].detail
    assert report.exit_status == 3


def test_two_runs_give_the_same_report_but_for_the_start_and_seconds(
    run: Run, tmp_path: Path
) -> None:
    documents = []
    for _ in range(2):
        run(CASES, [INFO, named(INFO, "twin")])
        document = json.loads((tmp_path / "run/report.json").read_bytes())
        assert document["environment"].pop("started")
        assert all(result.pop("seconds") > 0 for result in document["results"])
        documents.append(json.dumps(document))
    assert documents[0] == documents[1]
