"""What tests of views share: reports made by hand, and a browser to read them in."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect, sync_playwright

from by_hand_reports import CASE, failing, passing
from rnn_parity_reports.html import to_html
from rnn_parity_reports.results import Figures, Pair, Report, Result
from support import report_of

# How quick a page is, one test measures; the others may run on a busy machine.
expect.set_options(timeout=30_000)

_FLAGS = ["--no-first-run", "--disable-background-networking", "--disable-gpu"]


@pytest.fixture(scope="session")
def report() -> Report:
    """Give a report of twelve cases on four backends, each verdict in it."""
    cases = [replace(CASE, seed=seed) for seed in range(1, 13)]
    results = []
    for case in cases:
        bad = case.seed == 5
        results += [passing(case.id, "numpy", 0.1 + (case.seed or 0) / 40)]
        results += [(failing if bad else passing)(case.id, "torch")]
        gap = Result(case.id, "jax", "gap", detail="never: no such thing")
        results += [gap if case.seed == 3 else passing(case.id, "jax")]
        results += [Result(case.id, "acme", "absent", detail="acme not installed")]
    apart = Figures(0.5, 1.0, 4e6, 0.1, 50, 0, 105, (1, 2, 4))
    pairs = [Pair(cases[4].id, "numpy", "torch", 2e6, apart)]
    weak = replace(results[0], not_shown=["initial state is zero"])
    report = report_of(weak, *results[1:], cases=cases, pairs=pairs)
    return replace(report, outliers={cases[4].id: "torch"})


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give a headless Chromium, or skip the test where there is none."""
    path = which("chromium") or which("chromium-browser") or which("google-chrome")
    if not path:
        pytest.skip("no Chromium here; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=_FLAGS, chromium_sandbox=False
        )
        yield browser
        browser.close()


Open = Callable[[Report], Page]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Give a function that writes a report's page and opens it from its file.

    Afterwards the test fails if the page complained, or asked for anything but itself.
    """
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})

    def opened(report: Report) -> Page:
        file = tmp_path / "report.html"
        file.write_text(to_html(report))
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                asked.url.split("#")[0] == file.as_uri() or complaints.append(asked.url)
            ),
        )
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield opened
    context.close()
    assert not complaints
