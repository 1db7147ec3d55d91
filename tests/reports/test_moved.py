"""What moved is said in the order of how bad it is, and a regression always is."""

import io

import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console

from rnn_parity.terminal.moved import show_moved
from rnn_parity_core import BackendRecord
from rnn_parity_reports.moved import GROWTH, NEAR, Moved, Numbers, moved
from rnn_parity_reports.moved_views import group_by_cause, to_html, to_markdown
from rnn_parity_reports.results import Report, Result
from support import report_of


def one(verdict: str, bound_ratio: float | None = None, **changes: object) -> Report:
    result = Result("case", "torch", "pass", bound_ratio)
    return report_of(replace(result, verdict=verdict, **changes))


def kinds(old: Report, new: Report) -> list[str]:
    return [change.kind for change in moved(old, new).changes]


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        ("pass", "fail", "regression"),
        ("pass", "error", "regression"),
        ("pass", "gap", "regression"),
        ("pass", "absent", "regression"),
        ("gap", "fail", "regression"),
        ("gap", "error", "regression"),
        ("gap", "absent", "changed"),
        ("absent", "fail", "changed"),
        ("error", "fail", "changed"),
        ("fail", "gap", "changed"),
        ("fail", "pass", "improvement"),
        ("absent", "pass", "improvement"),
    ],
)
def test_each_change_of_verdict_is_of_one_kind(was: str, now: str, kind: str) -> None:
    found = moved(one(was), one(now))
    assert [change.kind for change in found.changes] == [kind]
    assert (found.common, found.unchanged) == (1, 0)
    assert found.exit_status == (kind == "regression")


@pytest.mark.parametrize("verdict", ["pass", "fail", "error", "gap", "absent"])
def test_what_is_the_same_is_unchanged(verdict: str) -> None:
    found = moved(one(verdict), one(verdict))
    assert (found.changes, found.unchanged, found.exit_status) == ([], 1, 0)


def test_a_ratio_counts_where_it_more_than_doubled_and_is_near_the_bound() -> None:
    assert (GROWTH, NEAR) == (2, 0.1)
    assert kinds(one("pass", 0.06), one("pass", 0.121)) == ["bound_ratio"]
    assert kinds(one("pass", 0.06), one("pass", 0.119)) == []
    assert kinds(one("pass", 0.001), one("pass", 0.099)) == []
    assert kinds(one("pass", 0.4), one("pass", 0.1)) == []
    assert kinds(one("fail", 2.0), one("fail", 9.0)) == []


def test_a_failure_that_is_explained_otherwise_is_said() -> None:
    old = one("fail", explanations=["bias dropped"])
    assert kinds(old, one("fail", explanations=["bias doubled"])) == ["explanation"]
    assert kinds(old, old) == []


def crowd() -> Moved:
    old, new = [], []
    for name, was, now, bound_ratio in (
        ("improved", "fail", "pass", 0.1),
        ("grown", "pass", "pass", 0.9),
        ("gone-absent", "pass", "absent", None),
        ("near", "pass", "fail", 2.0),
        ("crashed", "pass", "error", None),
        ("far", "pass", "fail", 2e6),
        ("nan", "pass", "fail", None),
        ("same", "pass", "pass", 0.1),
    ):
        old.append(Result(name, "torch", was, 0.1))  # type: ignore[arg-type]
        new.append(Result(name, "torch", now, bound_ratio))  # type: ignore[arg-type]
    return moved(report_of(*old), report_of(*new))


def test_regressions_come_first_and_the_farthest_of_them_before_others() -> None:
    found = crowd()
    assert [change.case for change in found.changes] == [
        "nan",
        "far",
        "near",
        "crashed",
        "gone-absent",
        "grown",
        "improved",
    ]
    assert (found.common, found.unchanged, found.exit_status) == (8, 1, 1)


@pytest.mark.parametrize("view", [to_markdown, to_html])
def test_the_first_heading_and_the_first_row_are_of_the_regression(
    view: object,
) -> None:
    text = view(crowd())  # type: ignore[operator]
    assert text.index("5 regressed") < text.index("Regressions: 5") < text.index("nan")
    assert text.index("nan") < text.index("far") < text.index("grown")


def test_what_moved_for_one_reason_on_one_backend_is_said_once() -> None:
    old = [Result(f"c{n}", b, "pass", 0.1) for n in range(9) for b in ("jax", "torch")]
    new = [
        replace(
            result,
            verdict="fail",
            bound_ratio=2.0 + number,
            detail=f"outputs: {number} of 105 elements outside the bound [{number}]",
            reproduce=f"run {result.case} {result.backend}",
        )
        for number, result in enumerate(old)
    ]
    new[3] = replace(new[3], explanations=["bias dropped"])
    found = moved(report_of(*old), report_of(*new))
    assert [(len(same), same[0].case) for same in group_by_cause(found.changes)] == [
        (8, "c8"),  # torch's, the farthest first
        (9, "c8"),
        (1, "c1"),
    ]
    for text in (to_markdown(found), to_html(found), on_screen(found)):
        assert text.count("the same in 7 more cases") == 1
        assert text.count("the same in 8 more cases") == 1
        assert text.count("outputs: ") == 3
        assert text.count("reproduce: ") == 3


def test_every_ratio_that_grew_is_said() -> None:
    old, new = (
        report_of(*(Result(f"c{n}", "jax", "pass", h) for n in range(3)))
        for h in (0.1, 0.9)
    )
    assert list(map(len, group_by_cause(moved(old, new).changes))) == [1, 1, 1]


def on_screen(found: Moved) -> str:
    console = Console(file=io.StringIO(), width=500)
    with console.capture() as capture:
        show_moved(console, found)
    return capture.get()


def test_what_passed_and_is_gone_is_a_regression_and_said_once() -> None:
    results = [
        Result(c, b, "pass", 0.1) for c in ("one", "two") for b in ("jax", "torch")
    ]
    whole, no_jax = report_of(*results), report_of(results[1], results[3])
    found = moved(whole, no_jax)
    assert [(g.what, g.name, g.results) for g in found.removed] == [
        ("backend", "jax", 2)
    ]
    assert (found.changes, found.lost, found.exit_status) == ([], 2, 1)
    back = moved(no_jax, whole)
    assert [g.name for g in back.added] == ["jax"]
    assert (back.lost, back.exit_status) == (0, 0)
    missing = moved(whole, report_of(*results[:3]))
    (change,) = missing.changes
    assert (change.case, change.backend) == ("two", "torch")
    assert (change.kind, change.new.verdict) == ("regression", "missing")
    assert (missing.common, missing.unchanged, missing.exit_status) == (3, 3, 1)
    lost_case = moved(whole, report_of(*results[:2]))
    assert [(g.what, g.name) for g in lost_case.removed] == [("case", "two")]


def test_what_failed_and_is_gone_is_no_regression() -> None:
    failed = Result("case", "jax", "fail", 3.0)
    good = Result("case", "torch", "pass", 0.1)
    assert moved(report_of(failed, good), report_of(good)).exit_status == 0


def test_nothing_in_common_is_nothing_compared() -> None:
    assert moved(one("pass"), report_of()).exit_status == 2


def test_versions_settings_interpreters_and_machines_that_differ_are_listed() -> None:
    old = one("pass")
    old = replace(
        old,
        backends={"torch": BackendRecord({"torch": "2.9"}, {"tf32": False, "x": 1})},
    )
    record = BackendRecord({"torch": "2.10"}, {"tf32": True, "x": 1}, python="3.12")
    environment = replace(old.environment, threads=8)
    new = replace(old, backends={"torch": record}, environment=environment)
    assert [
        (d.what, d.of, d.name, d.old, d.new) for d in moved(old, new).differences
    ] == [
        ("version", "torch", "torch", "2.9", "2.10"),
        ("setting", "torch", "tf32", "off", "on"),
        ("interpreter", "torch", "python", "", "3.12"),
        ("machine", "", "threads", "1", "8"),
    ]
    assert moved(old, old).differences == []


def test_it_travels_as_json() -> None:
    found = msgspec.structs.replace(
        crowd(), numbers=[Numbers("case", "torch", "other problem")]
    )
    assert msgspec.json.decode(msgspec.json.encode(found), type=Moved) == found


def test_thousands_of_changes_stay_short_in_markdown() -> None:
    old = [Result(f"case{n}", "torch", "pass", 0.1) for n in range(5000)]
    words = "x" * 5000
    new = [replace(r, verdict="fail", detail=words, reproduce="again") for r in old]
    text = to_markdown(moved(report_of(*old), report_of(*new)))
    assert len(text) < 30_000
    assert "… and 4980 more" in text
