"""One run of the pytest plugin, from its folder to its report, with workers or without.

pytest-xdist's workers compute into the folder of the process that started them, and
what came of each item reaches it with pytest's report. So the run on disk is that of
`rnn-parity run`, and so is what is made of it.
"""

import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from rnn_parity.processes.ending import NOTHING_KEPT, Ended, heed
from rnn_parity.processes.starting import die_with_parent
from rnn_parity.pytest_plugin.items import ItemResult, Items, Options
from rnn_parity.runs.run import begin, judge_and_write, new_record
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.journal import folder_lock
from rnn_parity.store.record import Entry, JournalLine, RunRecord
from rnn_parity_core import BackendRecord, ParityError, clean
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.describe import counts
from rnn_parity_reports.results import Report

_OUT = "parity_out"  # among what a worker of pytest-xdist is given
_MESSAGE = 500  # characters of what pytest says of an item that never came to an end

_Key = tuple[str, str]
"""The ID of a case and the name of a backend."""


def register(config: pytest.Config) -> None:
    """Let pytest make the items, and the main process gather what comes of them.

    Raises:
        pytest.UsageError: The options ask for nothing, or the folder cannot be used.

    """
    asked = Options.by(config)
    given = getattr(config, "workerinput", None)
    if given:
        die_with_parent()
        folder = RunFolder(Path(given[_OUT]))
    else:
        out = config.invocation_params.dir / config.getoption("--parity-out")
        folder = RunFolder(out)
        gathering = Gathering(config, asked, folder)
        config.pluginmanager.register(gathering, "rnn-parity-gathering")
        restore = heed(gathering.end, but="SIGINT")  # which is pytest's
        config.add_cleanup(restore)
    config.pluginmanager.register(Items(asked, folder), "rnn-parity-items")


class Gathering:
    """Makes the folder ready, gathers entries, and has them judged.

    Args:
        config: pytest's.
        asked: What the command line asks for.
        folder: The run's.

    Raises:
        pytest.UsageError: The folder holds what is not a run.

    """

    def __init__(
        self, config: pytest.Config, asked: Options, folder: RunFolder
    ) -> None:
        self._config = config
        self._asked = asked
        self._folder = folder
        self._nodes = asked.nodes()
        self._selected: set[_Key] = set()
        self._run: RunRecord | None = None
        self._entries: dict[_Key, Entry] = {}
        self._said: dict[str, BackendRecord] = {}
        self._report: Report | None = None
        self._unreached = 0
        self._trouble = ""
        self._interrupted = False
        self._alone = ExitStack()
        self._workers: list[Any] = []
        try:
            folder.check()
        except ParityError as error:
            raise _usage(error) from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_newgateway(self, gateway: Any) -> None:
        """Know a worker of pytest-xdist from its start."""
        self._workers.append(gateway)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist where the run's folder is."""
        node.workerinput[_OUT] = str(self._folder.path)

    def pytest_keyboard_interrupt(self) -> None:
        """Kill pytest-xdist's workers: asked to end, they wait for what hangs."""
        self._interrupted = True
        for gateway in self._workers:
            gateway._io.kill()  # noqa: SLF001 - execnet has no other way

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Keep a backend's items in one process, unless `--dist` says otherwise."""
        if config.getoption("dist") != "load":
            return None
        from rnn_parity.pytest_plugin.schedule import ByBackend  # noqa: PLC0415 - needs xdist

        backends = {node: info.name for node, (_, info) in self._nodes.items()}
        return ByBackend(config, log, backends)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Begin when a worker says what is selected, before anything is handed out."""
        self._begin(ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Begin without pytest-xdist, unless pytest is about not to run anything."""
        option = session.config.option
        stops = session.testsfailed and not option.continue_on_collection_errors
        if not stops and not option.collectonly:
            self._begin([item.nodeid for item in session.items])

    def _begin(self, ids: Sequence[str]) -> None:
        """Make the folder ready for what is selected, once."""
        chosen = [self._nodes[nodeid] for nodeid in ids if nodeid in self._nodes]
        if self._run or not chosen:
            return
        self._selected = {(case.id, info.name) for case, info in chosen}
        cases, infos, left_out = self._what_is_selected()
        asked = self._asked
        try:
            self._alone.enter_context(folder_lock(self._folder.path))
            made = new_record(
                cases,
                infos,
                timeout=asked.timeout,
                memory=asked.memory,
                left_out=left_out,
            )
            self._run = replace(made, strict=asked.strict)
            begin(self._folder, self._run)
            for case in cases:
                self._folder.write_problem(catalogue.build(case))
        except ParityError as error:
            raise _usage(error) from None

    def end(self, number: int) -> None:
        """Say how to go on, and die of a signal, as pytest does without us."""
        writer = self._config.get_terminal_writer()
        writer.line(f"\nrnn-parity: {Ended(number)}; {self._kept()}")
        writer.flush()
        os.kill(os.getpid(), number)

    def _kept(self) -> str:
        """Say what is kept of a run that was cut short, and how to go on."""
        if not self._run:
            return NOTHING_KEPT
        again = f"rnn-parity run --resume {quote(str(self._folder.path))}"
        return f"outcomes so far are kept, go on with: {clean(again)}"

    def _what_is_selected(self) -> tuple[list[Any], list[Any], list[_Key]]:
        """Give the cases and the backends, and which of them do not meet."""
        in_cases = {case for case, _ in self._selected}
        in_backends = {backend for _, backend in self._selected}
        cases = [case for case in self._asked.cases if case.id in in_cases]
        infos = [info for info in self._asked.infos if info.name in in_backends]
        together = [(case.id, info.name) for info in infos for case in cases]
        return cases, infos, [key for key in together if key not in self._selected]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what came of an item."""
        if report.nodeid not in self._nodes:
            return
        case, info = self._nodes[report.nodeid]
        key = (case.id, info.name)
        if sent := getattr(report, "parity", None):
            came_of = msgspec.convert(sent, ItemResult)
            self._keep(came_of.entry, came_of.record)
        elif key not in self._entries and report.failed:
            said = " ".join(str(report.longrepr).split())[:_MESSAGE]
            self._keep(Entry(*key, "error", f"pytest: {said}"), None)
        elif key not in self._entries and report.skipped:
            self._selected.discard(key)  # by a mark of the user's

    def _keep(self, entry: Entry, said: BackendRecord | None) -> None:
        """Take what came of a case, and note it, should this process be killed."""
        name, journal = entry.backend, self._folder.journal
        if self._entries.get((entry.case, name)) == entry:
            return  # it was sent with the report of a phase before
        try:
            if said and name not in self._said:
                journal.append(JournalLine(said=(name, said)))
                self._said[name] = said
            journal.append(JournalLine(entry=entry))
        except ParityError as error:
            pytest.exit(clean(str(error)), pytest.ExitCode.INTERNAL_ERROR)
        self._entries[entry.case, name] = entry

    @pytest.hookimpl(trylast=True)  # after pytest-xdist has ended its workers
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the run and its report.

        What was not reached is an error in it, so that it does not pass for a whole
        one; with `-x` it is left out, since pytest fails anyway. At Ctrl-C nobody waits
        for a report: what is done is in the run's journal.
        """
        if not self._run or self._interrupted:
            self._alone.close()
            return
        if session.shouldfail:
            self._unreached = len(self._selected - self._entries.keys())
            self._selected &= self._entries.keys()
        cases, infos, left_out = self._what_is_selected()
        record = replace(
            self._run,
            cases=cases,
            infos=infos,
            backends={
                i.name: self._said[i.name] for i in infos if i.name in self._said
            },
            entries=[
                self._entries[case.id, info.name]
                for info in infos
                for case in cases
                if (case.id, info.name) in self._entries
            ],
            left_out=left_out,
        )
        try:
            self._folder.finish(record)
            self._alone.close()
            jobs = self._config.getoption("numprocesses", None) or 1
            self._report = judge_and_write(self._folder, jobs)
        except ParityError as error:
            self._trouble = clean(str(error))
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Say the verdict in one line, and where the report is."""
        if self._interrupted:
            interrupted = Ended(signal.SIGINT)
            terminalreporter.line(f"rnn-parity: {interrupted}; {self._kept()}")
            return
        if not self._run:
            return
        terminalreporter.section("rnn-parity")
        if not self._report:
            terminalreporter.line(f"no report: {self._trouble}", red=True)
            return
        said = f"verdict  {counts(self._report)}"
        if self._unreached:
            said += f"; {self._unreached} not reached"
        if rest := len(self._nodes) - len(self._selected) - self._unreached:
            said += f"; {rest} not selected"
        terminalreporter.line(said)
        report = Path(self._config.getoption("--parity-out")) / "report.json"
        terminalreporter.line(f"report   {clean(str(report))}")


def _usage(error: ParityError) -> pytest.UsageError:
    return pytest.UsageError(clean(" ".join(str(error).split())))
