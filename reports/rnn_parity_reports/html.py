"""The report as one HTML page that loads nothing: what it shows, it carries."""

import base64
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from rnn_parity_reports.describe import (
    MARKS,
    by_estimate,
    counted,
    group_by_cause,
    in_words,
    mark_of,
    number_of,
    reason,
    verdict_of,
    verdicts_of,
    what_differs,
)
from rnn_parity_reports.results import BAD, Report
from rnn_parity_reports.templating import environment

MOST_STEPS = 2_500_000
"""Bytes that the errors of steps may take, packed; the others are left out."""

_MOST_GROUPS = 12
_PAGE = Path(__file__).with_name("templates") / "page"
_SCRIPTS = ("load", "matrix", "network", "charts", "case", "main")


class Headline(NamedTuple):
    """What a reader sees first."""

    verdict: str
    mark: str
    words: str
    lines: list[str]


class Group(NamedTuple):
    """Results that differ in the same way on one backend."""

    verdict: str
    backend: str
    words: str
    cases: str
    link: str


def to_html(report: Report) -> str:
    """Render the whole page."""
    template = environment(html=True).get_template("report.html.jinja")
    return template.render(
        report=report,
        headline=headline(report),
        groups=list(groups(report)),
        title=what_differs(report),
        not_shown=_weak(report),
        environment=_environment(report),
        scripts=[f"page/{name}.js" for name in _SCRIPTS],
        data=_packed(msgspec.json.encode(_data(report))),
        steps=_steps(report),
        vega=base64.b64encode((_PAGE / "vega.js.gz").read_bytes()).decode(),
        charts=_packed((_PAGE / "charts.json").read_bytes()),
    )


def headline(report: Report) -> Headline:
    """Say in a line what came of a run, and in some more what it was."""
    summary, good = report.summary, report.summary.passed + report.summary.consistent
    unshown = sum(map(report.is_unshown, report.results))
    if summary.failed or summary.error:
        bad = [result for result in report.results if result.verdict == "fail"]
        how = " (estimate)" if all(map(by_estimate, bad)) else ""
        wrong = [f"{summary.failed} differ{how}"] if bad else []
        wrong += [_count(summary.error, "error")] if summary.error else []
        words = f"{', '.join(wrong)} of {_count(summary.expected, 'result')}"
        verdict, mark = ("fail" if summary.failed else "error"), MARKS["fail"]
    elif not summary.compared:
        verdict, mark, words = "none", "!", "Nothing was compared"
    elif unshown or not good:
        verdict, mark = "inconclusive", MARKS["inconclusive"]
        left = unshown or summary.inconclusive
        words = f"{left} of {_count(summary.expected, 'result')} not shown to be right"
    else:
        verdict, mark = "pass", MARKS["pass"]
        every = "" if summary.inconclusive else "All "
        words = f"{every}{_count(good, 'comparison')} pass"
    names = {"gap": "declared gaps", "absent": "not installed"}
    counts = {
        names.get(verdict, words): number
        for words, number, verdict in counted(verdicts_of(report.results))
        if verdict not in BAD
    }
    of = f"{_count(len({r.case for r in report.results}), 'case')} on "
    of += _count(len({r.backend for r in report.results}), "backend")
    said = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return Headline(verdict, mark, words, [f"{of}: {said or 'none passes'}."])


def groups(report: Report) -> Iterator[Group]:
    """Put together what differs in the same way; the most common first."""
    found = group_by_cause(report.results)
    for results in found[:_MOST_GROUPS]:
        first = results[0]
        where = f"{quote(first.case, safe='')}&backend={quote(first.backend, safe='')}"
        backends = list(dict.fromkeys(result.backend for result in results))
        count = _count(len(results), "case" if len(backends) == 1 else "result")
        yield Group(
            first.verdict,
            ", ".join(backends),
            reason(first),
            f"{count}, the first {first.case}",
            f"#case={where}",
        )
    if len(found) > _MOST_GROUPS:
        left = sum(len(results) for results in found[_MOST_GROUPS:])
        yield Group("fail", "", "and others, below", _count(left, "result"), "#matrix")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _weak(report: Report) -> list[tuple[str, str]]:
    cases: dict[str, set[str]] = {}
    for result in report.results:
        for note in result.not_shown:
            cases.setdefault(note, set()).add(result.case)
    every = len({result.case for result in report.results})
    return [
        (note, "in all cases" if len(of) == every else f"in {_count(len(of), 'case')}")
        for note, of in cases.items()
    ]


def _environment(report: Report) -> list[tuple[str, str]]:
    said = msgspec.to_builtins(report.environment)
    return [(name.replace("_", " "), str(value)) for name, value in said.items()]


def _data(report: Report) -> dict[str, Any]:
    """Give what the page's scripts read: names once, numbers in their place."""
    cases = list(dict.fromkeys(result.case for result in report.results))
    backends = list(dict.fromkeys(result.backend for result in report.results))
    case_at = {name: at for at, name in enumerate(cases)}
    backend_at = {name: at for at, name in enumerate(backends)}
    described = {case.id: case for case in report.cases}
    results = []
    for result in report.results:
        plain = msgspec.to_builtins(result)
        del plain["steps"], plain["seconds"], plain["systematic"]
        at = {"case": case_at[result.case], "backend": backend_at[result.backend]}
        said = {
            "mark": mark_of(result),
            "word": verdict_of(result),
            "number": number_of(result),
            "estimated": in_words(result.estimate) if result.estimate else "",
        }
        results.append(plain | at | said)
    return {
        "cases": cases,
        "backends": backends,
        "described": [described.get(name) for name in cases],
        "results": results,
        "pairs": [
            (
                case_at[pair.case],
                backend_at[pair.first],
                backend_at[pair.second],
                pair.bound_ratio,
                pair.outputs.max_abs,
                pair.outputs.max_ulp,
            )
            for pair in report.pairs
            if {pair.first, pair.second} <= backend_at.keys() and pair.case in case_at
        ],
        "outliers": report.outliers,
    }


def _steps(report: Report) -> str:
    """Pack the errors of steps, of what differs first, as far as there is room."""
    packer = zlib.compressobj(6, wbits=31)  # 31: as gzip does
    packed = bytearray(packer.compress(b"["))
    ordered = sorted(
        enumerate(report.results), key=lambda item: item[1].verdict != "fail"
    )
    comma = b""
    for number, result in ordered:
        if result.steps is None:
            continue
        steps = result.steps
        row = msgspec.json.encode((number, steps.step, steps.error, steps.bound))
        packed += packer.compress(comma + row)
        comma = b","
        if len(packed) > MOST_STEPS:
            break
    packed += packer.compress(b"]") + packer.flush()
    return base64.b64encode(packed).decode()


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()
