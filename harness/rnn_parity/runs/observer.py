"""Who is told how a run goes; tells nobody by itself."""

from rnn_parity.store.record import Entry, RunRecord
from rnn_parity_reports.results import Result


class RunObserver:
    """Does nothing; called by one thread at a time."""

    def on_run_start(self, record: RunRecord) -> None:
        """Hear what a run is, and what of it is done."""

    def on_case_start(self, backend: str, case: str) -> None:
        """Hear that a backend begins a case."""

    def on_case_end(self, entry: Entry) -> None:
        """Hear what came of a case on a backend."""

    def on_judging_start(self, backend: str, case: str) -> None:
        """Hear whose outcome is judged next, if that is done in this process."""

    def on_judged(self, results: list[Result], total: int) -> None:
        """Hear the results of one more case of `total`."""
