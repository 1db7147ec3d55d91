"""Verdicts: from what came of a case to one word, and the reason in words."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from rnn_parity.judge.certify import reference
from rnn_parity.judge.verdict import judge_entry
from rnn_parity.runs.judge_run import judge
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import NOT_STARTED, UNANSWERED, Entry
from rnn_parity_core import (
    VARIANTS,
    Array,
    BackendInfo,
    Error,
    FileError,
    Gap,
    Implementation,
    Problem,
)
from rnn_parity_core.arrays import pack
from rnn_parity_reports.results import Result, Summary
from support import honest

NEVER = Gap("never", "it has no such loop")
ELSEWHERE = Gap("notyet", "not written", variants=("static",))


def info(*gaps: Gap, stated: dict[str, dict[str, Error]] | None = None) -> BackendInfo:
    """Describe a backend that nobody starts: judging reads only what it left."""
    return BackendInfo(
        name="acme:fast",
        adapter="acme:Backend",
        requires={},
        install="",
        implementations=(Implementation("its own loops", tuple(VARIANTS)),),
        accuracy={"float32": {"tanh": Error(2.0)}} if stated is None else stated,
        gaps=gaps,
    )


SOMETIMES = Gap("never", "it rounds some weights", depends_on_data=True)
UNNAMED = Gap("notyet", "", depends_on_data=True)
WRONG = Gap("wrong", "it forgets its bias")
LINKED = Gap("wrong", "", link="https://example.org/1")
AT_TIMES = Gap("wrong", "it forgets some biases", depends_on_data=True)


class Bench:
    """One problem, and judging whatever is said to have come of it."""

    def __init__(self, folder: RunFolder, problem: Problem) -> None:
        self.folder, self.problem = folder, problem
        self.case = problem.case.id

    def save(self, data: dict[str, Array] | bytes) -> None:
        packed = data if isinstance(data, bytes) else pack(data, {"case": self.case})
        self.folder.write_outcome("acme:fast", self.case, packed)

    def entry(self, status: str, detail: str = "", *gaps: Gap) -> Result:
        of = Entry(self.case, "acme:fast", status, detail, 1.5)  # type: ignore[arg-type]
        return self.judge(of, info(*gaps))

    def judge(self, entry: Entry, about: BackendInfo) -> Result:
        truth = reference(self.problem)
        judged = judge_entry(self.folder, self.problem, truth, about, entry)
        compared = bool(judged.result.figures)
        assert (judged.certificate is not None) == compared
        return judged.result

    def done(self, data: dict[str, Array] | bytes) -> Result:
        self.save(data)
        return self.entry("done")


@pytest.fixture
def bench(tmp_path: Path, problem: Problem) -> Bench:
    return Bench(RunFolder(tmp_path), problem)


@pytest.mark.parametrize(
    ("status", "gaps", "verdict", "words"),
    [
        ("done", (), "pass", ""),
        ("done", (ELSEWHERE,), "pass", ""),
        ("done", (NEVER,), "fail", "stale gap: declared never (it has no such loop),"),
        ("unsupported", (NEVER,), "gap", "never: it has no such loop"),
        ("unsupported", (), "fail", "undeclared gap: so it says; declare it as a Gap"),
        ("unsupported", (ELSEWHERE,), "fail", "undeclared gap: so it says"),
        ("done", (SOMETIMES,), "pass", ""),
        ("unsupported", (SOMETIMES,), "gap", "never: it rounds some weights"),
        ("unsupported", (UNNAMED,), "gap", "notyet: so it says"),
        ("done", (SOMETIMES, NEVER), "fail", "stale gap: declared never (it has no"),
        ("unsupported", (SOMETIMES, NEVER), "gap", "never: it has no such loop"),
        ("error", (SOMETIMES,), "error", "so it says"),
        ("error", (), "error", "so it says"),
        ("error", (NEVER,), "error", "so it says"),
        ("absent", (), "absent", "so it says"),
        ("absent", (NEVER,), "absent", "so it says"),
    ],
)
def test_what_came_of_a_case_and_what_was_declared_make_the_verdict(
    bench: Bench, status: str, gaps: tuple[Gap, ...], verdict: str, words: str
) -> None:
    bench.save(honest(bench.problem))
    result = bench.entry(status, "so it says", *gaps)
    assert result.verdict == verdict
    assert result.detail.startswith(words)
    assert bool(result.detail) == (verdict != "pass")
    if result.detail:
        assert result.detail.endswith(f" [acme:fast, {bench.case}]")
    assert (result.case, result.backend) == (bench.case, "acme:fast")
    assert result.seconds == 1.5
    assert result.reproduce == (
        f"rnn-parity run --cases {bench.case} --backends acme:fast"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"final_h": None}, "final_h is missing"),
        ({"attention": np.zeros(2)}, "attention is not asked for"),
        (
            {"outputs": np.zeros((7, 3, 5), np.float32)},
            "outputs has shape [7, 3, 5], expected [3, 7, 5]",
        ),
        (
            {"outputs": np.zeros((3, 7, 5)), "final_h": None},
            "final_h is missing; outputs has dtype float64, expected float32",
        ),
        (
            {"final_h": np.zeros((1, 3, 5), np.int32)},
            "final_h has dtype int32, expected float32",
        ),
    ],
)
def test_what_breaks_the_contract_fails_with_the_words(
    bench: Bench, change: dict[str, Array | None], words: str
) -> None:
    outcome = {**honest(bench.problem), **change}
    result = bench.done({n: a for n, a in outcome.items() if a is not None})
    assert result.verdict == "fail"
    assert result.detail == f"{words} [acme:fast, {bench.case}]"
    assert (result.bound_ratio, result.figures) == (None, {})


@pytest.mark.parametrize("data", [b"", b"not safetensors", None])
def test_an_outcome_that_cannot_be_read_is_an_error(
    bench: Bench, data: bytes | None
) -> None:
    result = bench.entry("done") if data is None else bench.done(data)
    assert result.verdict == "error"
    words = "cannot read" if data is None else "is not a whole safetensors file"
    assert words in result.detail


def test_an_outcome_of_another_case_is_an_error(bench: Bench) -> None:
    result = bench.done(pack(honest(bench.problem), {"case": "notebook-basic-f32"}))
    assert result.verdict == "error"
    assert f"holds case 'notebook-basic-f32', expected '{bench.case}'" in result.detail


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"float32": {}},
        {"float64": {"tanh": Error(2.0)}},
        {"float32": {"sigmoid": Error(2.0)}},
    ],
)
def test_a_backend_that_states_no_accuracy_gets_no_verdict(
    bench: Bench, stated: dict[str, dict[str, Error]]
) -> None:
    bench.save(honest(bench.problem))
    result = bench.judge(Entry(bench.case, "acme:fast", "done"), info(stated=stated))
    assert result.verdict == "error"
    assert "no accuracy of tanh in float32" in result.detail
    assert "add it to accuracy of its BackendInfo" in result.detail


@pytest.mark.parametrize(
    ("gaps", "words"),
    [
        ((WRONG,), "wrong: it forgets its bias: outputs: "),
        ((LINKED,), "wrong: https://example.org/1: outputs: "),
        ((AT_TIMES,), "wrong: it forgets some biases: outputs: "),
        ((SOMETIMES, WRONG), "wrong: it forgets its bias: outputs: "),
    ],
)
def test_what_is_declared_wrong_and_is_wrong_is_a_gap_in_the_words_of_both(
    bench: Bench, gaps: tuple[Gap, ...], words: str
) -> None:
    wrong = honest(bench.problem)
    bench.save({**wrong, "outputs": wrong["outputs"] + np.float32(1e-3)})
    undeclared = bench.entry("done")
    assert undeclared.verdict == "fail"
    result = bench.entry("done", "", *gaps)
    assert result.verdict == "gap"
    assert result.detail.startswith(words)
    assert result.detail.endswith(undeclared.detail)
    assert result.reproduce == undeclared.reproduce
    assert result.seconds == 1.5


@pytest.mark.parametrize("change", [{"final_h": None}, {"final_h": np.zeros(2)}])
def test_what_is_declared_wrong_may_break_the_contract(
    bench: Bench, change: dict[str, Array | None]
) -> None:
    outcome = {**honest(bench.problem), **change}
    bench.save({n: a for n, a in outcome.items() if a is not None})
    result = bench.entry("done", "", WRONG)
    assert result.verdict == "gap"
    assert result.detail.startswith("wrong: it forgets its bias: final_h ")


@pytest.mark.parametrize(
    ("status", "said", "gaps", "verdict", "words"),
    [
        ("done", "", (WRONG,), "fail", "stale gap: declared wrong (it forgets its"),
        ("done", "", (LINKED,), "fail", "stale gap: declared wrong (https://examp"),
        ("done", "", (AT_TIMES,), "pass", ""),
        ("done", "", (WRONG, NEVER), "fail", "stale gap: declared wrong (it forgets"),
        ("done", "", (NEVER, WRONG), "fail", "stale gap: declared never (it has no"),
        ("error", "killed", (WRONG,), "gap", "wrong: it forgets its bias: killed"),
        ("error", "killed", (AT_TIMES,), "gap", "wrong: it forgets some biases: kil"),
        ("error", UNANSWERED, (WRONG,), "error", UNANSWERED),
        ("error", f"{NOT_STARTED}: no", (WRONG,), "error", f"{NOT_STARTED}: no"),
        ("absent", "no GPU", (WRONG,), "absent", "no GPU"),
        ("unsupported", "so", (WRONG,), "fail", "undeclared gap: so; declare it"),
        ("unsupported", "so", (WRONG, NEVER), "gap", "never: it has no such loop"),
    ],
)
def test_what_is_declared_wrong_is_stale_if_it_is_right_and_a_gap_if_it_crashes(
    bench: Bench,
    status: str,
    said: str,
    gaps: tuple[Gap, ...],
    verdict: str,
    words: str,
) -> None:
    bench.save(honest(bench.problem))
    result = bench.entry(status, said, *gaps)
    assert (result.verdict, result.detail[: len(words)]) == (verdict, words)
    assert result.detail.count("[acme:fast") == bool(result.detail)


def test_what_is_declared_wrong_and_cannot_be_read_is_an_error(bench: Bench) -> None:
    bench.save(b"not safetensors")
    assert bench.entry("done", "", WRONG).verdict == "error"


def test_a_gap_that_no_implementation_made_is_closed_by_one(bench: Bench) -> None:
    bench.save(honest(bench.problem))
    about = msgspec.structs.replace(info(), implementations=())
    result = bench.judge(Entry(bench.case, "acme:fast", "done"), about)
    assert result.verdict == "fail"
    assert result.detail.startswith(
        "stale gap: declared notyet (the adapter does not do rnn_tanh as dynamic), yet "
        "it computes; name rnn_tanh and dynamic in an Implementation"
    )


def test_a_saved_run_is_judged_again_and_counted(
    saved_run: RunFolder, tmp_path: Path
) -> None:
    folder = RunFolder(shutil.copytree(saved_run.path, tmp_path / "copy"))
    whole = judge(folder, folder.record())
    assert whole.summary == Summary(4, 4, 4, 0, 0, 0, 0)
    assert whole.exit_status == 0
    assert all(result.not_shown for result in whole.results)

    record = folder.record()
    first, second, third, fourth = record.entries
    entries = [
        msgspec.structs.replace(second, status="unsupported", detail="no"),
        msgspec.structs.replace(third, status="absent", detail="gone"),
    ]
    folder.write_record(msgspec.structs.replace(record, entries=entries))
    report = judge(folder, folder.record())
    said = {result.case: result for result in report.results}
    for entry in (first, fourth):
        assert said[entry.case].verdict == "error"
        assert "the run ended before this was computed" in said[entry.case].detail
    assert report.summary == Summary(
        expected=4, compared=1, passed=0, failed=1, gap=0, error=2, absent=1
    )
    assert report.exit_status == 1


def test_a_run_whose_problem_is_broken_is_not_judged(
    saved_run: RunFolder, tmp_path: Path
) -> None:
    folder = RunFolder(shutil.copytree(saved_run.path, tmp_path / "copy"))
    case = folder.record().cases[0]
    (folder.path / "problems" / f"{case.id}.safetensors").write_bytes(b"")
    with pytest.raises(FileError, match=case.id):
        judge(folder, folder.record())
