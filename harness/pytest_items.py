"""The items of the pytest plugin: one case on one backend each.

Declared gaps are strict xfails. A framework that is not installed skips its items, with
the command that installs it, unless it was named: then they fail.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures import catalogue
from harness.backend import BackendInfo
from harness.errors import ParityError
from harness.folder import RunFolder
from harness.judge.certify import reference
from harness.judge.verdict import judge_entry
from harness.results import Result
from harness.run.engine import Runner, check_timeout
from harness.run.registry import known_backends, with_settings
from harness.spec import Case

ALL = "all"


class ParityFailure(Exception):  # noqa: N818 - pytest shows the name
    """A backend differs, crashed, hung, or is absent though it was named."""


class DeclaredGap(Exception):  # noqa: N818 - the expected end of an xfail
    """A backend declined a case, as it declares."""


def parity_items(session: pytest.Session) -> list[pytest.Item]:
    """Make the items that the command line asks for.

    Raises:
        pytest.UsageError: A name is unknown, or nothing is asked for.

    """
    config = session.config
    names = _split(config.getoption("--parity-backends"))
    try:
        cases = catalogue.select(_split(config.getoption("--parity-cases")), [], [])
        infos = _backends(names)
        check_timeout(config.getoption("--parity-timeout"))
    except ParityError as error:
        raise pytest.UsageError(str(error)) from None
    if not infos:
        raise pytest.UsageError(f"--parity-backends names nothing; for example: {ALL}")
    bench = _Bench(config, named=ALL not in names)
    parent = _Collector.from_parent(session, name="parity", nodeid="parity")
    items = [_item(parent, bench, case, info) for info in infos for case in cases]
    # Otherwise the terminal counts only what came of files.
    report = pytest.CollectReport("parity", "passed", None, items)  # type: ignore[arg-type]
    config.hook.pytest_collectreport(report=report)
    return items


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


class _Bench:
    """The workers and the folder that all items share; both end with the session."""

    def __init__(self, config: pytest.Config, *, named: bool) -> None:
        self.named = named
        self._timeout = config.getoption("--parity-timeout")
        self._runners: dict[str, Runner] = {}
        self._temporary = tempfile.TemporaryDirectory(prefix="rnn-parity-")
        self._folder = RunFolder(Path(self._temporary.name))
        self._folder.prepare()
        config.add_cleanup(self._close)

    def _close(self) -> None:
        for runner in self._runners.values():
            runner.close()
        self._temporary.cleanup()

    def result(self, case: Case, info: BackendInfo) -> Result:
        """Compute and judge a case; the backend's worker stays for the next one."""
        if info.name not in self._runners:
            self._runners[info.name] = Runner(info, self._folder, self._timeout)
        problem = catalogue.build(case)
        entry = self._runners[info.name].entry(problem)
        truth = reference(problem)
        return judge_entry(self._folder, problem, truth, info, entry).result


class _Collector(pytest.Collector):
    """The items' parent; they are added to whatever else is collected."""

    def collect(self) -> Iterator[pytest.Item]:
        return iter(())


def _item(
    parent: _Collector, bench: _Bench, case: Case, info: BackendInfo
) -> pytest.Item:
    name = f"{case.id}[{info.name}]"
    item: _ParityItem = _ParityItem.from_parent(
        parent, name=name, nodeid=f"parity::{name}", bench=bench, case=case, info=info
    )
    item.add_marker("parity")
    if gap := info.gap(case):
        reason = f"{gap.kind}: {gap.reason}"
        item.add_marker(
            pytest.mark.xfail(reason=reason, raises=DeclaredGap, strict=True)
        )
    return item


class _ParityItem(pytest.Item):
    def __init__(
        self, *, bench: _Bench, case: Case, info: BackendInfo, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._bench = bench
        self._case = case
        self._info = info

    def runtest(self) -> None:
        result = self._bench.result(self._case, self._info)
        if result.verdict == "absent" and not self._bench.named:
            pytest.skip(result.detail)
        if result.verdict == "gap":
            raise DeclaredGap(result.detail)
        if result.verdict != "pass":
            words = f"{result.verdict}: {result.detail}\nagain: {result.reproduce}"
            raise ParityFailure(words)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any
    ) -> Any:
        """Show what differs, not where in this file that was noticed."""
        if isinstance(excinfo.value, ParityFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"parity {self.name}"
