"""report.html as text: what it carries, and what it leaves out."""

import base64
import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from by_hand_reports import CASE, failing, passing
from rnn_parity_reports import html
from rnn_parity_reports.charts import PAGE, bundle, specifications
from rnn_parity_reports.html import to_html
from rnn_parity_reports.results import Report, Result
from support import report_of

Carried = Callable[[str, str], Any]


def carried(page: str, name: str) -> Any:
    match = re.search(f'<script type="application/gzip" id="{name}">([^<]*)<', page)
    assert match
    return json.loads(gzip.decompress(base64.b64decode(match[1])))


def test_the_shipped_charts_are_those_of_altair() -> None:
    assert (PAGE / "charts.json").read_bytes() == specifications()


@pytest.mark.slow
def test_the_shipped_vega_is_that_of_the_converter() -> None:
    assert gzip.decompress((PAGE / "vega.js.gz").read_bytes()) == bundle()


def test_the_page_allows_nothing_to_be_loaded(report: Report) -> None:
    page = to_html(report)
    assert "default-src 'none'" in page
    addresses = set(re.findall(r"https?://[^\s\"'<]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}, "a namespace, no address"


def test_what_differs_in_one_way_is_one_group_and_the_largest_comes_first() -> None:
    lone = replace(
        failing("c9", "torch"), explanations=[], detail="outputs: all; x [y]"
    )
    crash = Result("c1", "jax", "error", detail="did not start: no [jax, c1]")
    results = [lone, *(failing(f"c{n}", "torch") for n in range(3)), crash]
    found = list(html.groups(report_of(*results)))
    assert [(g.verdict, g.backend, g.cases) for g in found] == [
        ("fail", "torch", "3 cases, the first c0"),
        ("fail", "torch", "1 case, the first c9"),
        ("error", "jax", "1 case, the first c1"),
    ]
    assert found[0].words == "matches if: gate order z, r, n instead of r, z, n"
    assert found[1].words == "outputs: all"
    assert found[1].link == "#case=c9&backend=torch"


def test_of_very_many_groups_the_rest_is_counted() -> None:
    results = [
        replace(failing(f"c{n}", "torch"), explanations=[f"mistake {n}"])
        for n in range(40)
    ]
    found = list(html.groups(report_of(*results)))
    assert len(found) == 13
    assert found[-1].cases == "28 results"


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (["pass"], "All 1 comparison pass"),
        (["pass", "pass", "gap"], "All 2 comparisons pass"),
        (["pass", "fail", "error"], "1 differ, 1 error of 3 results"),
        (["error", "error"], "2 errors of 2 results"),
        (["gap", "absent"], "Nothing was compared"),
    ],
)
def test_the_headline_says_what_came_of_it(verdicts: list[Any], words: str) -> None:
    results = [Result(f"c{n}", "b", said) for n, said in enumerate(verdicts)]
    assert html.headline(report_of(*results)).words == words


def test_errors_of_steps_are_left_out_where_there_is_no_room_but_of_what_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cases = [replace(CASE, seed=seed).id for seed in range(400)]
    results = [passing(name, "numpy", 0.1 + n) for n, name in enumerate(cases)]
    report = report_of(*results, failing("last", "torch"))
    whole = carried(to_html(report), "steps")
    assert sorted(row[0] for row in whole) == list(range(401))
    monkeypatch.setattr(html, "MOST_STEPS", 1)
    cut = carried(to_html(report), "steps")
    assert cut[0] == [400, list(range(7)), [1e-8, 1e-8, *[0.5] * 5], [1e-7] * 7]
    assert len(cut) < 400
    assert len(carried(to_html(report), "data")["results"]) == 401
