"""The graphs of a case on several backends, a worker for each."""

import tempfile
from functools import partial
from pathlib import Path

import msgspec

from rnn_parity.runs.registry import absence
from rnn_parity.workers.pool import side_by_side
from rnn_parity.workers.process import Worker
from rnn_parity.workers.protocol import WorkerError
from rnn_parity_core import Absent, BackendInfo, Problem, Unsupported
from rnn_parity_core.exit_status import Exit, exit_of
from rnn_parity_core.graph import GraphResult


def graphs(
    problem: Problem,
    infos: list[BackendInfo],
    *,
    jobs: int,
    timeout: float,
    memory: int = 0,
) -> list[GraphResult]:
    """Ask backends for the graph of what they run; `jobs` of them at a time."""
    with tempfile.TemporaryDirectory(prefix="rnn-parity-") as path:
        workers = [
            Worker(Path(path) / f"{number}.log", memory=memory)
            for number in range(len(infos))
        ]
        work = [
            partial(_drawn, info, problem, worker, timeout)
            for info, worker in zip(infos, workers, strict=True)
        ]

        def interrupt() -> None:
            for worker in workers:
                worker.kill()

        return side_by_side(work, jobs, interrupt)


def _drawn(
    info: BackendInfo, problem: Problem, worker: Worker, timeout: float
) -> GraphResult:
    if reason := absence(info):
        return GraphResult(info.name, "absent", reason)
    try:
        worker.load(info)
        graph = worker.graph(info.name, problem, timeout)
    except Absent as absent:
        return GraphResult(info.name, "absent", str(absent))
    except Unsupported as declined:
        return GraphResult(info.name, "unsupported", str(declined))
    except WorkerError as error:
        return GraphResult(info.name, "error", str(error))
    finally:
        worker.close()
    return GraphResult(info.name, "drawn", graph=graph)


def exit_status(found: list[GraphResult]) -> Exit:
    """0 all that have a graph gave it, 2 nothing is drawn, 3 a crash or a hang."""
    said = {drawn.status for drawn in found}
    return exit_of(wrong=False, crashed="error" in said, done="drawn" in said)


def as_json(case: str, found: list[GraphResult]) -> str:
    """Give what backends answered as JSON text."""
    document = {"schema": "rnn-parity.graphs/1", "case": case, "backends": found}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
