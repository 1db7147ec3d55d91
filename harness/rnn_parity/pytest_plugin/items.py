"""The items of the pytest plugin: one case on one backend each.

Declared gaps are strict xfails. A framework that is not installed skips its items, with
the command that installs it, unless it was named: then they fail.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rnn_parity.judge.certify import reference
from rnn_parity.judge.verdict import judge_entry
from rnn_parity.processes.guard import read_memory
from rnn_parity.runs.engine import Runner, check_timeout
from rnn_parity.runs.registry import known_backends, with_settings
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry
from rnn_parity_core import BackendInfo, BackendRecord, Case, ParityError, clean
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.describe import (
    in_full,
    next_lines,
    one_line,
    table,
    without_place,
)
from rnn_parity_reports.results import GOOD, Result

ALL = "all"

_WHOLE, _EVERY_ARRAY = 1, 2  # how often -v was given


class ParityFailure(Exception):  # noqa: N818 - pytest shows the name
    """A backend differs, crashed, hung, is absent though named, or not shown right."""


class DeclaredGap(Exception):  # noqa: N818 - the expected end of an xfail
    """A backend declined a case, as it declares."""


class ItemResult(msgspec.Struct, frozen=True):
    """What came of an item; it travels with pytest's report of it."""

    entry: Entry
    record: BackendRecord | None


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    cases: list[Case]
    infos: list[BackendInfo]
    named: bool
    """Whether backends were named one by one, so that an absent one is a failure."""
    timeout: float
    memory: int
    strict: bool
    """Whether what is inconclusive fails: all cases are named by their IDs, or
    `--parity-strict`."""

    @classmethod
    def by(cls, config: pytest.Config) -> "Options":
        """Read the options.

        Raises:
            pytest.UsageError: A name is unknown, or nothing is asked for.

        """
        names = _split(config.getoption("--parity-backends"))
        timeout = config.getoption("--parity-timeout")
        try:
            of = _split(config.getoption("--parity-cases"))
            cases = catalogue.select(of, [], [])
            infos = _backends(names)
            check_timeout(timeout)
            memory = read_memory(config.getoption("--parity-memory"))
        except ParityError as error:
            raise pytest.UsageError(clean(str(error))) from None
        if not infos:
            raise pytest.UsageError(
                f"--parity-backends names nothing; for example: {ALL}"
            )
        strict = config.getoption("--parity-strict")
        strict = strict or not any(map(catalogue.is_suite, of))
        return cls(cases, infos, ALL not in names, timeout, memory, strict)

    def nodes(self) -> dict[str, tuple[Case, BackendInfo]]:
        """Give every item's node ID, in the order in which they run."""
        return {
            f"parity::{case.id}[{info.name}]": (case, info)
            for info in self.infos
            for case in self.cases
        }


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _backends(names: list[str]) -> list[BackendInfo]:
    known = known_backends()
    usual = {name: info for name, info in known.items() if not info.on_request}
    found = {} if ALL not in names else usual
    for name in names:
        if name != ALL:
            found[name] = with_settings(known, name)
    return list(found.values())


class Items:
    """Makes the items and runs them, in a process that tests run in.

    Args:
        asked: What the command line asks for.
        folder: The run's, made ready by the process that gathers.

    """

    def __init__(self, asked: Options, folder: RunFolder) -> None:
        self.asked = asked
        self._folder = folder
        self._runners: dict[str, Runner] = {}

    @pytest.hookimpl(tryfirst=True)  # before -k, -m and --lf choose among the items
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Add one item for each case on each backend."""
        parent = _Collector.from_parent(session, name="parity", nodeid="parity")
        made = [
            _item(parent, self, nodeid, *asked)
            for nodeid, asked in self.asked.nodes().items()
        ]
        items += made
        # Otherwise the terminal counts only what came of files.
        report = pytest.CollectReport("parity", "passed", None, made)  # type: ignore[arg-type]
        config.hook.pytest_collectreport(report=report)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send what came of an item along with its report."""
        report = yield
        if isinstance(item, _ParityItem) and item.came_of:
            report.parity = msgspec.to_builtins(item.came_of)  # type: ignore[attr-defined]
        return report

    def pytest_unconfigure(self) -> None:
        """End the workers."""
        for runner in self._runners.values():
            runner.close()

    def compute(self, case: Case, info: BackendInfo) -> tuple[ItemResult, Result]:
        """Compute and judge a case; the backend's worker stays for the next one."""
        if info.name not in self._runners:
            self._runners[info.name] = Runner(
                info, self._folder, self.asked.timeout, self.asked.memory
            )
        runner = self._runners[info.name]
        problem = catalogue.build(case)
        entry = runner.entry(problem)
        judged = judge_entry(self._folder, problem, reference(problem), info, entry)
        return ItemResult(entry, runner.record), judged.result


class _Collector(pytest.Collector):
    """The items' parent; they are added to whatever else is collected."""

    def collect(self) -> Iterator[pytest.Item]:
        return iter(())


def _item(
    parent: _Collector, items: Items, nodeid: str, case: Case, info: BackendInfo
) -> pytest.Item:
    name = nodeid.removeprefix("parity::")
    item: _ParityItem = _ParityItem.from_parent(
        parent, name=name, nodeid=nodeid, items=items, case=case, info=info
    )
    item.add_marker("parity")
    if gap := info.gap(case):
        reason = gap.why
        item.add_marker(
            pytest.mark.xfail(reason=reason, raises=DeclaredGap, strict=True)
        )
    return item


class _ParityItem(pytest.Item):
    def __init__(
        self, *, items: Items, case: Case, info: BackendInfo, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._items = items
        self._case = case
        self._info = info
        self.came_of: ItemResult | None = None

    def runtest(self) -> None:
        self.came_of, result = self._items.compute(self._case, self._info)
        if result.verdict == "absent" and not self._items.asked.named:
            pytest.skip(result.detail)
        if result.verdict == "gap" and not self._info.gap(self._case):
            pytest.xfail(result.detail)  # of this case's data alone
        if result.verdict == "gap":
            raise DeclaredGap(result.detail)
        if result.verdict == "inconclusive" and not self._items.asked.strict:
            pytest.skip(one_line(result))
        if result.verdict not in GOOD:
            raise ParityFailure(self._words(result))

    def _words(self, result: Result) -> str:
        verbosity = self.config.get_verbosity()
        absent = result.verdict == "absent"  # which says what installs it
        lines = [
            f"absent: {without_place(result.detail)}" if absent else one_line(result)
        ]
        whole = verbosity >= _WHOLE
        lines += in_full(result) if whole else next_lines(result)
        lines += table(result) if verbosity >= _EVERY_ARRAY else []
        return "\n".join(lines)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any
    ) -> Any:
        """Show what differs, not where in this file that was noticed."""
        if isinstance(excinfo.value, ParityFailure):
            shown = excinfo.getrepr(style="value")
            if shown.reprcrash:  # what the summary and JUnit's message quote
                shown.reprcrash.message = str(excinfo.value).partition("\n")[0]
            return shown
        if isinstance(excinfo.value, ParityError):
            return clean(str(excinfo.value))
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"parity {self.name}"
