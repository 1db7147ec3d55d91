"""Hostile names stay text: in HTML, Markdown, CSV, JUnit, Parquet and the terminal."""

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from msgspec.structs import replace
from rich.console import Console

from rnn_parity.sweep.messages import FailureKind, Identity, Limits, Sweep
from rnn_parity.sweep.pages import to_markdown as swept_to_markdown
from rnn_parity.sweep.shrink import Shrunk
from rnn_parity.sweep.summary import FailureGroup, Summary, Tally
from rnn_parity.terminal.moved import show_moved
from rnn_parity.terminal.report import show_report
from rnn_parity_core import clean
from rnn_parity_core.cases import parse_id
from rnn_parity_reports import read_report
from rnn_parity_reports.csv_rows import to_csv
from rnn_parity_reports.junit import to_junit
from rnn_parity_reports.markdown import to_markdown
from rnn_parity_reports.moved import Moved, Numbers, moved
from rnn_parity_reports.moved_views import to_html
from rnn_parity_reports.moved_views import to_markdown as moved_to_markdown
from rnn_parity_reports.results import (
    BackendRecord,
    Environment,
    FirstBad,
    Report,
    Result,
    encode,
    read_report_document,
)
from rnn_parity_reports.view import ReportView
from support import report_of

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "line\nbreak\r\n# heading\n- item\n| cell |",
    "\x1b[31mred\x1b]0;title\x07",
    "=1+1",
    "- item",
    "12. item",
    "---",
    "csi\x9b31m",
    "@SUM(A1)",
    "a|b\\|c",
    "`code` ``more`` ~~gone~~ $x$",
    "turned\u202egnirts",
    "nul\0byte\ufffe",
    "{{ 7 * 7 }}{% raw %}",
    "[link](javascript:alert(1)) &lt;b&gt; ]]>",
    "www.a.example _www.b.example https://c.example FTP://d.example",
    "@name @org/team me@a.example #123 x/y#4 GH-5 torch@1234567 :tada:",
]
# What GitHub looks for in the text that comes of Markdown, but not in code.
LINKED = re.compile(r"@\w|#\d|www\.\w|://|GH-\d|:[a-z]+:", re.IGNORECASE)
PARTS = "<!-- -->"
_VERDICTS = ("pass", "fail", "error", "gap", "absent")


def hostile(words: str) -> Report:
    """Put words everywhere that text of others can stand."""
    results = [
        Result(
            f"{words}{verdict}",
            backend,
            verdict,  # type: ignore[arg-type]
            2.0,
            first_bad=FirstBad(0, 0, 0, direction=words, gate=words),
            fixed_tolerances={words: False},
            explanations=[words],
            not_shown=[words],
            sensitivity={words: 0.1},
            detail=words,
            reproduce=words,
        )
        for verdict in _VERDICTS
        for backend in (words, f"{words} two")
    ]
    record = BackendRecord({words: words}, {words: words}, words, words)
    return report_of(
        *results,
        environment=Environment(words, words, words, words, 1, words, words),
        backends={words: record},
        outliers={words: words},
    )


def hostile_moved(words: str) -> Moved:
    """Let everything in a report of such words move."""
    old = hostile(words)
    changed = [
        replace(r, verdict=v, explanations=[])
        for r, v in zip(old.results, ("fail", "pass") * 5, strict=True)
    ]
    record = BackendRecord({words: f"{words}2"}, {words: f"{words}2"}, "", f"{words}2")
    new = replace(old, results=changed[:-1], backends={words: record})
    extra = Result(f"{words} only", words, "pass")
    old = replace(old, results=[*old.results, extra])
    numbers = [Numbers(words, words, "not comparable", note=words)]
    return moved(old, new, names=(words, words), numbers=numbers)


def hostile_sweep(words: str) -> tuple[Sweep, Summary, list[Shrunk]]:
    """Put words wherever text of others is in what a sweep sums up."""
    case = parse_id("gru-dynamic-B1-T1-D1-H1-f32-s1")
    assert case
    kind = FailureKind(words, "gru", "forward", "fail", words)
    identity = Identity("1", "2", words, words, {words: words}, {words: words})
    environment = Environment(words, words, words, words, 1, words, words)
    return (
        Sweep(
            *("rnn-parity.sweep/2", environment, [words], 1, 1, {words: identity}),
            Limits(1.0, 0),
        ),
        Summary({words: Tally()}, {kind: FailureGroup(1, case, 0)}),
        [Shrunk(kind, 1, case, case, None)],
    )


class _Tags(HTMLParser):
    """Collects tags, and attributes other than those our templates have."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs), attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def tags_of(html: str) -> _Tags:
    parser = _Tags()
    parser.feed(html)
    return parser


def assert_no_controls(text: str) -> None:
    assert not [c for c in text if not c.isprintable() and c != "\n"]


@pytest.mark.parametrize("words", HOSTILE)
def test_in_the_html_of_what_moved_they_are_text(words: str) -> None:
    html = to_html(hostile_moved(words))
    found, tame = tags_of(html), tags_of(to_html(hostile_moved("tame")))
    assert found.tags == tame.tags
    assert "alert(1)" not in html or "alert(1)" in found.text
    assert_no_controls(html)


@pytest.mark.parametrize("words", HOSTILE)
def test_in_a_notebook_they_are_text(words: str) -> None:
    view, tame = ReportView(hostile(words)), ReportView(hostile("tame"))
    assert tags_of(view._repr_html_()).tags == tags_of(tame._repr_html_()).tags
    assert_no_controls(view._repr_html_())
    assert_no_controls(repr(view))


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("view", ["report", "moved"])
def test_in_markdown_they_are_text(words: str, view: str) -> None:
    def shown(words: str) -> str:
        if view == "report":
            return to_markdown(hostile(words))
        return moved_to_markdown(hostile_moved(words))

    def shape(text: str) -> list[str]:
        """Give what begins each line, and how many cells a row has."""
        bare = re.sub(r"`[^`\n]*`", "", re.sub(r"\\.", "x", text))
        lines = bare.splitlines()
        return [re.match(r"[#>|\- ]*", x)[0] + "|" * x.count("|") for x in lines]  # type: ignore[index]

    text = shown(words).replace(PARTS, "")
    assert shape(text) == shape(shown("tame"))
    outside = re.sub(r"`[^`\n]*`", "", re.sub(r"\\.", "", text))
    ours = r"</?(details|summary)>"
    assert not re.search(r"[<`~$*\[\]]", re.sub(ours, "", outside).replace("**", ""))
    assert_no_controls(text)


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("view", ["report", "moved", "sweep"])
def test_in_markdown_they_are_no_links_and_mention_nobody(
    words: str, view: str
) -> None:
    of_view = {
        "report": lambda: to_markdown(hostile(words)),
        "moved": lambda: moved_to_markdown(hostile_moved(words)),
        "sweep": lambda: swept_to_markdown(*hostile_sweep(words)),
    }
    markdown = MarkdownIt("commonmark").enable("table")
    tokens = [t for b in markdown.parse(of_view[view]()) for t in b.children or ()]
    assert {t.type for t in tokens} <= {
        *("text", "text_special", "code_inline", "softbreak", "html_inline"),
        *("strong_open", "strong_close"),
    }
    assert {t.content for t in tokens if t.type == "html_inline"} <= {PARTS}
    parted = [t.content for t in tokens if t.type.startswith("text")]
    assert [text for text in parted if LINKED.search(text)] == []
    if LINKED.search(words):  # it is there for who reads it
        assert clean(words) in "".join(parted)


@pytest.mark.parametrize("words", HOSTILE)
def test_in_csv_they_are_cells_that_nothing_computes(words: str) -> None:
    report = hostile(words)
    table = list(csv.reader(io.StringIO(to_csv(report), newline="")))
    assert {len(row) for row in table} == {len(table[0])}
    assert len(table) == 1 + len(report.results)
    for row in table[1:]:
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
            assert_no_controls(cell.replace("\r", ""))


@pytest.mark.parametrize("words", HOSTILE)
def test_in_junit_they_are_attributes_of_valid_xml(words: str) -> None:
    data = to_junit(hostile(words))
    root = ET.fromstring(data)  # noqa: S314 - our own
    assert {element.tag for element in root.iter()} == {
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
        "error",
        "skipped",
    }
    assert JUnitXml.fromstring(data).tests == 10
    assert len(root.findall("testsuite")) == 2
    assert_no_controls("".join(root.itertext()))


@pytest.mark.parametrize("words", HOSTILE)
def test_in_a_frame_and_in_parquet_they_are_as_they_were(
    words: str, tmp_path: Path
) -> None:
    import pandas as pd

    from rnn_parity_reports.table import to_parquet

    report = hostile(words)
    (tmp_path / "report.json").write_bytes(encode(report))
    frame = read_report(tmp_path)
    assert list(frame["case"]) == [result.case for result in report.results]
    assert set(frame["detail"]) == {words}
    back = pd.read_parquet(io.BytesIO(to_parquet(read_report_document(tmp_path))))
    pd.testing.assert_frame_equal(back, frame)


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("terminal", [True, False])
def test_on_a_terminal_they_are_words(words: str, terminal: bool) -> None:
    for show in (
        lambda console: show_report(console, hostile(words), words),
        lambda console: show_moved(console, hostile_moved(words)),
    ):
        file = io.StringIO()
        show(Console(file=file, force_terminal=terminal, width=200))
        ours = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())
        assert_no_controls(ours)
        assert "\x1b[31mred" not in file.getvalue()
