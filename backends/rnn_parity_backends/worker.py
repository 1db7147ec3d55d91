"""Inside a worker process: load adapters, answer problems, until the channel closes.

Messages are tuples of what execnet carries (text, bytes, numbers): a number, what is
asked, and what that needs. To each one there is one answer: the same number, and a
tuple whose first item says what it is.
"""

import importlib
import os
import platform
import signal
import sys
import time
import traceback
from typing import Any

import msgspec
import numpy as np

from rnn_parity_core import (
    Absent,
    Backend,
    BackendInfo,
    BackendRecord,
    Case,
    Outcome,
    Problem,
    Unsupported,
)
from rnn_parity_core.arrays import pack, unpack
from rnn_parity_core.graph import Drawable

_MOST_CHARACTERS = 400  # of what an adapter raised


def serve(channel: Any) -> None:
    """Answer messages until there are no more; print where errors are printed."""
    # Ctrl-C is for the main process, which then ends the workers in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)  # what frameworks' C++ prints, too
    sys.stdout = sys.stderr
    adapters: dict[str, _Adapter] = {}
    process = os.getpid()
    for number, *question in channel:
        answer = _answer(adapters, *question)
        if os.getpid() != process:
            os._exit(1)  # an adapter's fork came back: one answer is enough
        channel.send((number, answer))


def _answer(adapters: dict[str, "_Adapter"], kind: str, *arguments: Any) -> Any:
    """Give the answer to one question, whatever an adapter raises."""
    try:
        if kind == "load":
            info = msgspec.json.decode(arguments[0], type=BackendInfo)
            adapters[info.name] = _Adapter(info)
            return ("loaded", adapters[info.name].record())
        name, *problem = arguments
        adapter = adapters[name]
        return (adapter.graph if kind == "graph" else adapter.answer)(*problem)
    except Absent as reason:
        return ("absent", _one_line(reason) or "no reason given")
    except Unsupported as reason:
        return ("unsupported", _one_line(reason) or "no reason given")
    except BaseException as error:  # noqa: BLE001 - an adapter may raise anything
        traceback.print_exc()
        return ("error", f"{type(error).__name__}: {_one_line(error)}")


def _one_line(error: BaseException) -> str:
    """Give what was raised, on a line; of a long one, with arrays in it, both ends."""
    words = " ".join(str(error).split())
    if len(words) <= _MOST_CHARACTERS:
        return words
    half = _MOST_CHARACTERS // 2
    return f"{words[:half]} … {words[-half:]}"


class _Adapter:
    """One backend's adapter, and whether its first answer was looked at twice."""

    def __init__(self, info: BackendInfo) -> None:
        module, _, attribute = info.adapter.partition(":")
        factory = getattr(importlib.import_module(module), attribute)
        self._backend: Backend = factory(**info.options)
        self._checked = False

    def record(self) -> bytes:
        return msgspec.json.encode(
            BackendRecord(
                versions=self._backend.versions(),
                settings=self._backend.settings(),
                interpreter=sys.executable,
                python=platform.python_version(),
            )
        )

    def answer(self, case: bytes, data: bytes) -> tuple[Any, ...]:
        problem = _problem(case, data)
        start = time.perf_counter()
        outcome = self._backend.run(problem)
        seconds = time.perf_counter() - start
        packed = _packed(outcome, problem)
        if not self._checked:
            self._checked = True
            self._run_again(outcome, problem, packed)
        return ("outcome", packed, seconds)

    def graph(self, case: bytes, data: bytes) -> tuple[str, bytes]:
        if not isinstance(self._backend, Drawable):
            raise Unsupported("its adapter gives no graph")
        graph = self._backend.graph(_problem(case, data))
        return ("graph", msgspec.json.encode(graph))

    def _run_again(self, outcome: Outcome, problem: Problem, packed: bytes) -> None:
        """Hold the first outcome while a second is computed: it must not change.

        The second one is of other inputs, so that the same numbers written into a
        buffer that is used again are seen.
        """
        entering = "inputs" if "inputs" in problem.arrays else "embedding"
        other = problem[entering] / 2
        other.flags.writeable = False
        self._backend.run(Problem(problem.case, {**problem.arrays, entering: other}))
        if _packed(outcome, problem) != packed:
            raise RuntimeError(
                "an outcome changed when the next problem ran: the adapter returns a "
                "buffer that it uses again; return a copy"
            )


def _problem(case: bytes, data: bytes) -> Problem:
    arrays, _ = unpack(data, "the problem")
    return Problem(msgspec.json.decode(case, type=Case), arrays)


def _packed(outcome: Outcome, problem: Problem) -> bytes:
    for name, array in outcome.items():
        if not isinstance(array, np.ndarray):
            raise TypeError(
                f"{name} is a {type(array).__name__}, expected a NumPy array"
            )
    return pack(outcome, {"case": problem.case.id})
