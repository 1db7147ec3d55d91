"""What every view says of what is inconclusive, and of what rests on an estimate."""

from typing import Any

import pytest
from junitparser import JUnitXml
from msgspec.structs import replace
from playwright.sync_api import expect
from rich.console import Console

from by_hand_reports import CASE, failing, passing
from rnn_parity.terminal.report import show_report
from rnn_parity_reports.describe import (
    and_others,
    by_estimate,
    counts,
    group_by_cause,
    in_full,
    one_line,
)
from rnn_parity_reports.html import headline, to_html
from rnn_parity_reports.junit import to_junit
from rnn_parity_reports.markdown import to_markdown
from rnn_parity_reports.moved import moved
from rnn_parity_reports.moved_views import state
from rnn_parity_reports.results import Estimate, Report, Result
from rnn_parity_reports.rows import COLUMNS, rows
from rnn_parity_reports.view import ReportView
from support import report_of

NEXT = ["give `layer0.outputs`, too", "take fewer than 7 steps"]
ESTIMATE = Estimate(0.31, 12.0, 24, "outputs")
UNSHOWN = "nothing is shown: the bound is as wide as the numbers in 83% of outputs"


def inconclusive(case: str, backend: str) -> Result:
    return replace(
        passing(case, backend, 1e-6),
        verdict="inconclusive",
        detail=f"{UNSHOWN} [{backend}, {case}]",
        next_steps=NEXT,
    )


def consistent(case: str, backend: str) -> Result:
    found = passing(case, backend, 1e-6)
    return replace(found, verdict="consistent", estimate=ESTIMATE)


def estimated(case: str, backend: str) -> Result:
    far = replace(ESTIMATE, ratio=31.0)
    detail = f"outputs: its worst error is 31x [{backend}, {case}]"
    found = passing(case, backend, 1e-6)
    return replace(found, verdict="fail", estimate=far, detail=detail)


def report(*kinds: Any, **fields: Any) -> Report:
    """Give a report with a case of each kind on two backends, the first passing."""
    cases = [replace(CASE, seed=seed) for seed, _ in enumerate(kinds, 1)]
    found = [
        result
        for case, kind in zip(cases, kinds, strict=True)
        for result in (passing(case.id, "numpy"), kind(case.id, "torch"))
    ]
    return replace(report_of(*found, cases=cases), **fields)


EVERY = report(inconclusive, consistent, estimated, passing)


@pytest.mark.parametrize(
    ("of", "status", "strict", "bound"),
    [
        (report(passing), 0, 0, 0),
        (report(inconclusive), 0, 4, 4),
        (report(consistent), 0, 0, 4),
        (report(consistent, inconclusive, failing), 1, 1, 1),
        (report(estimated), 1, 1, 1),
    ],
)
def test_the_exit_status_is_by_what_counts(
    of: Report, status: int, strict: int, bound: int
) -> None:
    found = [
        replace(of, strict=named, require_bound=asks).exit_status
        for named, asks in ((False, False), (True, False), (True, True))
    ]
    assert found == [status, strict, bound]


def test_an_estimate_is_said_to_be_one_and_a_broken_bound_is_none() -> None:
    case = CASE.id
    assert by_estimate(consistent(case, "a"))
    assert by_estimate(estimated(case, "a"))
    assert not by_estimate(replace(failing(case, "a"), estimate=ESTIMATE))
    far = replace(ESTIMATE, ratio=31.0)
    assert not by_estimate(replace(failing(case, "a"), estimate=far))
    assert one_line(estimated(case, "a")).startswith("fail (estimate): outputs: its")
    assert one_line(consistent(case, "a")).startswith("consistent (estimate)")
    assert "next: take fewer than 7 steps" in in_full(inconclusive(case, "a"))
    assert counts(EVERY) == (
        "5 pass, 1 consistent (estimate), 1 fail (estimate), 1 inconclusive of 8"
    )


def test_what_is_not_shown_on_several_backends_is_said_once() -> None:
    both = [inconclusive(CASE.id, name) for name in ("torch", "jax")]
    (group,) = group_by_cause(both)
    assert and_others(group) == "the same in 1 more result; in all on torch, jax"
    wrong, unshown = group_by_cause([*both, failing(CASE.id, "numpy")])
    assert (len(wrong), len(unshown)) == (1, 2)


def test_the_screen_has_marks_what_they_mean_and_what_to_do_next() -> None:
    console = Console(width=80, record=True)
    show_report(console, EVERY, "here")
    said = console.export_text()
    for words in ("✓ 0.25 ?", "≈ 0.31", "✗≈ 3e+01"):
        assert words in said
    assert "? nothing is shown: the bound is as wide" in said
    assert "  next: give `layer0.outputs`, too" in said
    assert "? inconclusive: nothing is shown, neither right nor wrong" in said
    assert "1 fail (estimate), 1 inconclusive of 8" in " ".join(said.split())
    plain = Console(width=80, record=True)
    show_report(plain, report(passing), "here")
    assert "≈" not in (text := plain.export_text())
    assert "inconclusive" not in text


def test_markdown_and_notebooks_say_the_same() -> None:
    page = to_markdown(EVERY)
    assert page.startswith(
        "# rnn-parity: 5 of 8 pass, 1 consistent (estimate), 1 fail (estimate), 1 inco"
    )
    assert "## What differs and what is not shown" in page
    assert "- **fail (estimate)** outputs: its worst error" in page
    assert "  - next: take fewer than 7 steps" in page
    assert "| ✓ 0.25 | ✗≈ 31 |" in page
    assert "?: inconclusive, nothing is shown" in page
    view = ReportView(replace(report(inconclusive), strict=True))
    assert f"inconclusive: {UNSHOWN}" in repr(view)
    assert '<strong class="inconclusive">' in view._repr_html_()
    assert '<td class="inconclusive">?</td>' in view._repr_html_()


def test_junit_says_what_the_exit_status_says() -> None:
    of = report(inconclusive, consistent)
    skipped = JUnitXml.fromstring(to_junit(of))
    assert (skipped.failures, skipped.skipped) == (0, 1)
    strict = JUnitXml.fromstring(to_junit(replace(of, strict=True)))
    assert (strict.failures, strict.skipped) == (1, 0)
    both = replace(of, strict=True, require_bound=True)
    assert JUnitXml.fromstring(to_junit(both)).failures == 2
    assert b"take fewer than 7 steps" in to_junit(of)
    assert b"consistent (estimate)" in to_junit(both)


def test_rows_hold_the_estimate_and_what_to_do_next() -> None:
    of_torch = [dict(zip(COLUMNS, row, strict=True)) for row in rows(EVERY)][1::2]
    unshown, near, far, right = of_torch
    assert unshown["next_steps"] == "; ".join(NEXT)
    numbers = ("ratio", "factor", "simulations", "where")
    assert [near[f"estimate.{name}"] for name in numbers] == [0.31, 12.0, 24, "outputs"]
    assert (far["verdict"], far["estimate.ratio"]) == ("fail", 31.0)
    assert right["estimate.ratio"] is None


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (passing, inconclusive, "changed"),
        (passing, consistent, "changed"),
        (consistent, inconclusive, "changed"),
        (inconclusive, passing, "improvement"),
        (inconclusive, consistent, "improvement"),
        (consistent, passing, "improvement"),
        (failing, consistent, "improvement"),
        (failing, inconclusive, "changed"),
        (inconclusive, failing, "regression"),
        (consistent, estimated, "regression"),
    ],
)
def test_what_moved_says_which_way(was: Any, now: Any, kind: str) -> None:
    found = moved(report(was), report(now))
    (change,) = found.changes
    assert change.kind == kind
    assert found.exit_status == (kind == "regression")
    if now is estimated:
        assert state(change.old) == "consistent (estimate) 0.31"
        assert state(change.new) == "fail (estimate) 31"
    if now is inconclusive:
        assert state(change.new) == "inconclusive"


def test_the_headline_is_no_pass_where_what_counts_is_not_shown() -> None:
    suite = headline(report(inconclusive, consistent))
    assert (suite.verdict, suite.words) == ("pass", "3 comparisons pass")
    assert suite.lines == [
        "2 cases on 2 backends: 2 pass, 1 consistent (estimate), 1 inconclusive."
    ]
    strict = headline(report(inconclusive, strict=True))
    assert (strict.verdict, strict.words) == (
        "inconclusive",
        "1 of 2 results not shown to be right",
    )
    nothing = report_of(inconclusive(CASE.id, "torch"))
    assert headline(nothing).verdict == "inconclusive"
    assert headline(EVERY).words == "1 differ (estimate) of 8 results"
    assert "5e+06" not in to_html(EVERY)


def test_the_page_filters_and_says_what_to_do_next(show: Any) -> None:
    page = show(EVERY)
    for words in ("inconclusive 1", "consistent (estimate) 1"):
        expect(page.locator("#verdicts label", has_text=words)).to_have_count(1)
    cells = page.locator("#matrix a.cell")
    assert [*cells.all_inner_texts()][1:6:2] == ["?", "≈ 0.31", "✗≈ 31.0"]
    page.locator("#matrix a.cell.inconclusive").click()
    expect(page.locator("#next-steps li")).to_have_text(NEXT)
    expect(page.locator(".said .big")).to_contain_text("inconclusive, neither right")
    expect(page.locator(".network .box.ok")).to_have_count(0)
    page.keyboard.press("Escape")
    page.locator("#matrix a.cell.consistent").click()
    expect(page.locator("#estimate")).to_contain_text("0.31x what right implementat")
    expect(page.locator(".network .box.ok")).to_have_count(0)
