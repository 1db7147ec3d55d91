"""Names and details stay words in Markdown and CSV, whatever is in them."""

import csv
import io
import re

import pytest

from rnn_parity_core import BackendRecord
from rnn_parity_reports.csv_rows import to_csv
from rnn_parity_reports.markdown import to_markdown
from rnn_parity_reports.results import Result
from support import report_of

EVIL = "<script>alert(1)</script> | `x` | \n\n# head\r\n- [a](b) *b* &lt; \\| _c_"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n="])
def test_a_spreadsheet_computes_nothing_of_a_csv(sign: str) -> None:
    words = f"{sign}HYPERLINK(1)"
    result = Result(
        words, words, "fail", detail=words, not_shown=[words], reproduce=words
    )
    (row,) = csv.DictReader(
        io.StringIO(to_csv(report_of(result, outliers={words: words})), newline="")
    )
    for name in ("case", "backend", "detail", "not_shown", "reproduce", "outliers"):
        assert row[name].removeprefix("'") == words
        assert row[name].lstrip("\n")[0] not in "=+-@\t\r"


def test_hostile_names_stay_one_cell_and_one_line_of_the_markdown() -> None:
    results = [
        Result(
            case, backend, "fail", 2.0, detail=EVIL, not_shown=[EVIL], reproduce="again"
        )
        for case in (EVIL, "tame")
        for backend in (EVIL, "other")
    ]
    records = {EVIL: BackendRecord({EVIL: EVIL})}
    report = report_of(*results, backends=records, outliers={EVIL: EVIL})
    text = to_markdown(report)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in table] == [4, 4, 4, 4]
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert [heading.lstrip("# ") for heading in headings[1:]] == [
        "What differs",
        "Outliers",
        "What this data could not have shown",
        "Where",
    ]
    outside_code = re.sub(r"(?<!\\)`[^`\n]*`", "", text)
    assert not re.search(r"(?<!\\)[<`]", outside_code)


def test_a_hostile_reproduce_line_stays_in_its_code_span() -> None:
    report = report_of(Result("case", "b", "fail", 2.0, detail="d", reproduce=EVIL))
    text = to_markdown(report)
    assert len(re.findall("^#", text, re.MULTILINE)) == 3
    assert "<" not in re.sub("`[^`\n]*`", "", text)


def test_the_markdown_of_thousands_of_cases_stays_short_and_says_what_fails() -> None:
    results = [
        Result(
            f"{cell}-dynamic-{n}",
            backend,
            "fail" if n > 900 and backend == "jax" else "pass",
            0.25,
            detail=f"{cell} {'x' * (n - 900)} " + "why " * 1000,
            reproduce="again",
            not_shown=[f"note {n}"],
        )
        for n in range(1000)
        for cell in ("gru", "lstm")
        for backend in ("torch", "jax")
    ]
    odd = {f"gru-{n}": "jax" for n in range(1000)}
    text = to_markdown(report_of(*results, outliers=odd))
    assert len(text) < 60_000
    assert text.index("## What differs") < text.index("| cell | torch | jax |")
    assert "| gru | ✓ 1000 of 1000, 0.25 | ✗ 99 of 1000, 0.25 |" in text
    folded = text.partition("<details>")[2].partition("</details>")[0]
    assert folded.splitlines()[4].startswith("| gru-dynamic-901 | ✓ 0.25 | ✗ 0.25 |")
    assert "more cases, in report.json" in folded
    assert "- … and 178 more, in report.json" in text
    assert "- … and 980 more, in report.json" in text


def test_up_to_forty_cases_have_a_row_each_and_nothing_is_folded() -> None:
    results = [Result(f"gru-{n}", "torch", "pass", 0.25) for n in range(41)]
    assert to_markdown(report_of(*results[:40])).count("| gru-") == 40
    assert "<details>" not in to_markdown(report_of(*results[:40]))
    assert "<details>" in to_markdown(report_of(*results))
