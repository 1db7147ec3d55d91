"""report.html as a reader has it: opened from a file in a headless Chromium."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from by_hand_reports import CASE, failing, passing
from rnn_parity_core.probing import probing
from rnn_parity_reports.html import to_html
from rnn_parity_reports.results import Report, Steps, summarize
from support import report_of

Open = Callable[[Report], Page]

BAD = replace(CASE, seed=5).id


def rows(page: Page) -> list[str]:
    return page.locator("#matrix tbody th").all_inner_texts()


def test_the_first_screen_says_what_came_of_it_and_why(
    show: Open, report: Report
) -> None:
    page = show(report)
    expect(page.locator("h1")).to_have_text("✗ 1 differ of 48 results")
    group = page.locator(".groups li")
    expect(group).to_have_count(1)
    expect(group).to_contain_text("torch matches if: gate order z, r, n instead")
    expect(page.locator(".weak")).to_contain_text("initial state is zero in 1 case")
    assert len(rows(page)) == 12


def test_a_click_in_the_matrix_shows_first_bad_step_explanation_and_charts(
    show: Open, report: Report
) -> None:
    page = show(report)
    page.locator("#matrix a.cell.fail").click()
    expect(page.locator("#case-title")).to_have_text(BAD)
    expect(page.locator("#first-bad")).to_contain_text("The first bad step is 2: row 1")
    expect(page.locator("#first-bad")).to_contain_text("gate r")
    expect(page.locator("#explanation")).to_contain_text("gate order z, r, n instead")
    expect(page.locator(".said")).to_contain_text("an outlier")
    expect(page.locator(".network rect.first")).to_have_count(1)
    assert page.locator(".network rect.bad").count() == 5
    expect(page.locator("#steps-chart svg")).to_be_visible()
    expect(page.locator("#pairs-chart svg")).to_be_visible()
    expect(page.locator(".copy code")).to_have_text(
        [f"rnn-parity run --cases {BAD} --backends torch", f"rnn-parity graph {BAD}"]
    )
    expect(page.locator("#overview")).to_be_hidden()


def test_a_point_is_drawn_for_each_step_and_those_outside_are_red(
    show: Open, report: Report
) -> None:
    page = show(report)
    page.locator("#matrix a.cell.fail").click()
    page.wait_for_selector("#steps-chart svg")
    fills = page.locator("#steps-chart .mark-symbol path").evaluate_all(
        "paths => paths.map(path => path.getAttribute('fill'))"
    )
    assert len(fills) == 7
    assert len(set(fills[:2])) == 1
    assert len(set(fills[2:])) == 1
    assert fills[0] != fills[2]


def test_search_and_filters_narrow_the_table(show: Open, report: Report) -> None:
    page = show(report)
    page.locator("#search").fill("S5 torch")
    assert rows(page) == [BAD]
    page.locator("#search").fill("gate order")
    assert rows(page) == [BAD]
    page.locator("#search").fill("no such words")
    assert rows(page) == []
    expect(page.locator("#shown")).to_have_text("0 of 12 cases")
    page.locator("#search").fill("")
    for verdict in ("pass", "gap", "absent"):
        page.locator(f'#verdicts input[value="{verdict}"]').uncheck()
    assert rows(page) == [BAD]
    page.locator("#columns input").nth(1).uncheck()
    assert rows(page) == []
    page.locator('#verdicts input[value="gap"]').check()
    assert rows(page) == [replace(CASE, seed=3).id]
    expect(page.locator("#matrix thead th")).to_have_text(
        ["case", "numpy", "jax", "acme"]
    )


def test_the_worst_come_first_where_that_is_asked_for(
    show: Open, report: Report
) -> None:
    page = show(report)
    page.locator("#order").select_option("worst")
    assert rows(page)[0] == BAD
    assert rows(page)[1] == replace(CASE, seed=12).id


def test_the_keyboard_reaches_everything(show: Open, report: Report) -> None:
    page = show(report)
    page.keyboard.press("/")
    page.keyboard.type("s5")
    assert rows(page) == [BAD]
    page.keyboard.press("Escape")
    page.locator('#matrix a.cell[tabindex="0"]').focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#matrix a.cell.fail")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#case-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#matrix a.cell.fail")).to_be_focused()


def test_the_next_case_is_the_next_one_of_the_table_as_it_is_filtered(
    show: Open, report: Report
) -> None:
    page = show(report)
    page.locator("#order").select_option("worst")
    page.locator("#matrix a.cell.fail").click()
    expect(page.locator("#case-title")).to_have_text(BAD)
    page.keyboard.press("j")
    expect(page.locator("#case-title")).to_have_text(replace(CASE, seed=12).id)
    page.keyboard.press("k")
    expect(page.locator("#case-title")).to_have_text(BAD)
    page.go_back()
    expect(page.locator("#case-title")).to_have_text(replace(CASE, seed=12).id)


def test_both_themes_are_there_and_can_be_changed(show: Open, report: Report) -> None:
    page = show(report)
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.locator("#theme").click()
    assert page.evaluate(ground) == light
    page.locator("#theme").click()
    assert page.evaluate(ground) == dark


def test_on_paper_there_is_nothing_to_press(show: Open, report: Report) -> None:
    page = show(report)
    page.emulate_media(media="print")
    expect(page.locator("#matrix")).to_be_visible()
    expect(page.locator(".bar")).to_be_hidden()
    expect(page.locator("#theme")).to_be_hidden()


def test_everything_that_can_be_pressed_has_a_name(show: Open, report: Report) -> None:
    page = show(report)
    page.locator("#matrix a.cell.fail").click()
    page.wait_for_selector("#steps-chart svg")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("a, button, input, select, svg[role]")]
            .filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label")
                             || e.labels?.length)).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("table caption, table th[scope]").count() > 0


def test_how_ratios_are_spread_is_drawn_when_it_is_asked_for(
    show: Open, report: Report
) -> None:
    page = show(report)
    page.locator("#spread summary").click()
    expect(page.locator("#spread-chart svg")).to_be_visible()
    assert page.locator("#spread-chart .mark-symbol path").count() > 3


HOSTILE = {
    "<script>document.title = 1</script>": "<script>document.title = 1</script>",
    '"><img src=x onerror="document.title=1">': '"><img src=x onerror="document.',
    "quotes ' and \" and `": "quotes ' and \" and `",
    "lines\nand \x1b[31mcolours \x00, \u202eturned": "lines and \\u001b[31mcolours",
    "=1+1": "=1+1",
    "</script><s>": "</script><s>",
    "__proto__": "__proto__",
    "a&backend=b#c%20d": "a&backend=b#c%20d",
}


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_names_and_words_stay_text(show: Open, words: str) -> None:
    bad = replace(
        failing(words, words),
        explanations=[words],
        not_shown=[words],
        detail=words,
        reproduce=words,
        figures={words: failing("a", "b").figures["outputs"]},
        sensitivity={words: 1.0},
        fixed_tolerances={words: False},
    )
    hostile = report_of(bad, passing(words, "numpy"))
    page = show(replace(hostile, outliers={words: words}))
    title = page.title()
    assert title == "1 differ of 2 results: rnn-parity"
    expect(page.locator("#matrix tbody th")).to_contain_text(HOSTILE[words])
    page.locator("#matrix a.cell.fail").click()
    expect(page.locator("#case-title")).to_contain_text(HOSTILE[words])
    expect(page.locator("#explanation")).to_contain_text(HOSTILE[words])
    assert page.locator("main script, main img, main s").count() == 0
    assert page.title() == title
    assert "\u202e" not in page.content()
    assert "\x1b" not in page.content()


def test_a_report_without_results_or_of_unknown_cases_is_shown(show: Open) -> None:
    page = show(report_of())
    expect(page.locator("h1")).to_have_text("! Nothing was compared")
    page = show(report_of(passing("unknown", "numpy", 0.0)))
    page.locator("#matrix a.cell").click()
    expect(page.locator(".said")).to_contain_text("numpy passes")
    assert page.locator(".network").count() == 0


def test_an_address_that_leads_to_no_case_leads_to_the_table(
    show: Open, report: Report
) -> None:
    page = show(report)
    page.evaluate("location.hash = '#case=nonesuch&backend=%E0%A4%A'")
    expect(page.locator("#overview")).to_be_visible()
    expect(page.locator("#case")).to_be_hidden()


def test_ten_thousand_results_fit_into_six_megabytes_and_answer_at_once(
    show: Open, report: Report
) -> None:
    cases = [replace(CASE, seed=seed) for seed in range(1, 2501)]
    results = []
    for case in cases:
        names = ("numpy", "torch", "jax")
        results += [passing(case.id, name, 0.01 * len(case.id)) for name in names]
        results += [failing(case.id, "acme")]
    pairs = [replace(report.pairs[0], case=case.id) for case in cases for _ in range(6)]
    drawn = np.random.default_rng(1)
    for number, result in enumerate(results):  # numbers that do not pack well
        sizes = 10 ** drawn.uniform(-12, -5, (2, 64))
        errors, bounds = [[float(f"{x:.3g}") for x in row] for row in sizes]
        steps = Steps(list(range(64)), errors, bounds)
        results[number] = replace(result, steps=steps)
    large = replace(
        report, results=results, cases=cases, pairs=pairs, summary=summarize(results)
    )
    start = time.perf_counter()
    assert len(to_html(large).encode()) < 6_000_000
    assert time.perf_counter() - start < 10
    page = show(large)
    ready = []
    for _ in range(3):  # other tests run beside this one
        page.reload()
        page.wait_for_selector("html[data-ready]")
        ready.append(int(page.locator("html").get_attribute("data-ready") or 0))
    assert 0 < min(ready) < 2000, "milliseconds until the page answers"
    page.locator("#search").fill("s2499-")
    expect(page.locator("#shown")).to_have_text("0 of 2500 cases")
    page.locator("#search").fill("")
    page.locator("#all").click()
    assert page.locator("#matrix tbody tr").count() == 2500
    page.locator("#matrix a.cell.fail").last.click()
    expect(page.locator("#first-bad")).to_be_visible()


def test_of_a_probe_its_one_step_is_said_and_not_drawn(show: Open) -> None:
    case = probing(CASE)
    assert case is not None
    result = replace(passing(case.id, "torch"), steps=Steps([0], [2e-8], [8e-8]))
    page = show(replace(report_of(result), cases=[case]))
    page.locator("#matrix a.cell").click()
    said = "2070 rows, 1 step, 4 features, 5 units; a probe, which shows every weight"
    expect(page.locator("#case")).to_contain_text(said)
    chart = page.locator("#steps-chart")
    expect(chart).to_have_text(
        "There is one step: its worst error is 2.0e-8, where 8.0e-8 may be."
    )
    expect(chart.locator("svg")).to_have_count(0)
