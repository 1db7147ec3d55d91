"""A worker process: loads a backend's adapter, computes problems, gives graphs."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from rnn_parity.workers.child import START_TIMEOUT, Child
from rnn_parity.workers.protocol import WorkerError, decoded
from rnn_parity_core import Absent, BackendInfo, BackendRecord, Problem, Unsupported
from rnn_parity_core.arrays import pack
from rnn_parity_core.graph import Graph


class Worker(Child):
    """One worker process; to be closed. It starts with the first backend's `load`.

    Args:
        log: File that takes everything the process prints.
        interpreter: Path of another Python; nothing stands for this one.
        host: Another machine that it runs on: `ssh:[USER@]HOST[:PORT]`.
        memory: Bytes that it and what it starts may hold; 0: any number.

    """

    def __init__(
        self, log: Path, interpreter: str = "", host: str = "", memory: int = 0
    ) -> None:
        super().__init__(
            "rnn_parity_backends.worker",
            log,
            interpreter=interpreter,
            host=host,
            memory=memory,
        )

    def load(self, info: BackendInfo) -> BackendRecord:
        """Import a backend's framework and construct its adapter.

        Raises:
            Absent: What it runs on is not here.
            WorkerError: It could not be, or the process died of it.

        """
        answer = self.ask(START_TIMEOUT, "load", msgspec.json.encode(info))
        if answer[0] == "absent":
            raise Absent(str(answer[1]))
        if answer[0] != "loaded":
            raise WorkerError(str(answer[1]))
        said = decoded(answer[1], BackendRecord, "what it says of itself is broken")
        return replace(said, host=self._host)

    def run(self, backend: str, problem: Problem, timeout: float) -> tuple[Any, ...]:
        """Compute a problem: `("outcome", bytes, seconds)`, or why there is none.

        Raises:
            WorkerError: The process died or took longer than `timeout` seconds.

        """
        return self.ask(timeout, "run", backend, *_parts(problem))

    def graph(self, backend: str, problem: Problem, timeout: float) -> Graph:
        """Give the graph of what a backend runs for a problem.

        Raises:
            Unsupported: It has none; the text is the reason.
            WorkerError: The adapter raised, what it gave is no graph, or the process
                died or took longer than `timeout` seconds.

        """
        kind, found = self.ask(timeout, "graph", backend, *_parts(problem))
        if kind == "unsupported":
            raise Unsupported(str(found))
        if kind != "graph":
            raise WorkerError(str(found))
        return decoded(found, Graph, "what it gives is no graph")


def _parts(problem: Problem) -> tuple[bytes, bytes]:
    """Give a problem as messages carry it: its case and its arrays."""
    data = pack(problem.arrays, {"case": problem.case.id})
    return msgspec.json.encode(problem.case), data
