"""How often a backend that is right about a trained network is called broken.

`python -m benchmarks.trained_alarms [BATCHES] [OUT] [BACKEND,…]` runs Silero's trained
LSTM on batches of 40 lengths from 1 to 200 and of 5 kinds, on each backend, and judges
every outcome as a run does. Backends are right unless proven wrong: a failure is a
false alarm. Lines of OUT/BACKEND.jsonl are what is done; a second call goes on there,
so begin in a new folder after a change. Prints a Markdown table, and then the alarms.
"""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from threadpoolctl import threadpool_limits

from benchmarks.tables import head, row
from rnn_parity.judge.certify import reference
from rnn_parity.judge.verdict import Judged, judge_entry
from rnn_parity.runs.engine import Runner, default_jobs
from rnn_parity.runs.registry import select_backends
from rnn_parity.runs.user_arrays import given_problem
from rnn_parity.store.folder import RunFolder, file_name
from rnn_parity_core import Array, Problem
from rnn_parity_fixtures import seeded, trained

NETWORK = "silero-vad-16k"
BATCHES = 1000
ROWS = 4
LENGTHS = [round(1 + number * 199 / 39) for number in range(40)]
KINDS = ("met", "signed", "silence", "loud", "negative")
BACKENDS = (
    *("numpy", "tensorflow", "tensorflow:v1", "torch", "jax", "jax:eager"),
    *("onnxruntime", "openvino", "flax", "keras:torch", "keras:jax"),
    *("torch:compile", "tensorflow:xla"),
)
_TIMEOUT = 300.0


def main() -> None:
    """Run what is not done, and print what came of all."""
    given = sys.argv[1:]
    count = int(given[0]) if given else BATCHES
    out = Path(given[1] if len(given) > 1 else "trained-alarms")
    names = given[2].split(",") if len(given) > 2 else list(BACKENDS)  # noqa: PLR2004
    out.mkdir(parents=True, exist_ok=True)
    trained.weights(NETWORK)  # says what to do where it is not there
    with ProcessPoolExecutor(default_jobs()) as pool:
        list(pool.map(_run, names, [count] * len(names), [out] * len(names)))
    lines = {name: _lines(out, name)[:count] for name in names}
    head("backend", "right", "gaps, errors", *_WHERE, "called broken")
    for name, found in lines.items():
        row(name, *_counts(found))
    for name, found in lines.items():
        for line in found:
            if line["verdict"] == "fail":
                print(f"{name} {line['batch']} {line['detail']}")


_WHERE = ("outputs exceed", "final states exceed", "sums exceed")


def _counts(lines: list[dict[str, Any]]) -> list[str]:
    """Count verdicts, and what exceeded its bound where one is a failure."""
    verdicts = [line["verdict"] for line in lines]
    passed, failed = verdicts.count("pass"), verdicts.count("fail")
    where = [sum(line.get(name, 0) > 1 for line in lines) for name in _WHERE]
    others = len(lines) - passed - failed
    return [str(n) for n in (passed, others, *where, failed)]


def problem_of(number: int) -> Problem:
    """Give a batch: the first 40 have every length, the first 200 each kind of each."""
    length = LENGTHS[number % len(LENGTHS)]
    kind = KINDS[(number // len(LENGTHS) + number) % len(KINDS)]
    case = replace(trained.case_of(NETWORK, "met"), batch=ROWS, steps=length)
    shape = (ROWS, length, case.features)
    arrays = {"inputs": _inputs(kind, shape, number)}
    for state, size in case.state_shapes().items():
        # After silence alone a network is still; here it comes after saturation.
        most = {"h": 1.0, "c": 16.0}[state] if kind == "silence" else 0.0
        sign = np.sign(seeded.draw(size, seed=number, stream=9))
        arrays[f"initial_{state}"] = most * sign
    own = {name: array.astype(np.float32) for name, array in arrays.items()}
    weights = trained.weights(NETWORK)
    return given_problem(case, {**own, **weights}, f"batch {number}, {kind}")


def _inputs(kind: str, shape: tuple[int, ...], number: int) -> Array:
    """Draw inputs: as the encoder's ReLU gives them, or of either sign up to 9."""
    one, other, third = (seeded.draw(shape, seed=number, stream=n) for n in range(3))
    signed = 3 * (one + other + third)
    met = np.where(np.abs(one) < 0.4, 5 * (np.abs(other) / 0.75 - 1 / 3) ** 3, 0.0)  # noqa: PLR2004
    of_kind = {
        "met": met,
        "signed": signed,
        "silence": np.zeros(shape),
        "loud": 100 * met,
        "negative": -np.abs(signed),
    }
    return np.asarray(of_kind[kind])


def _run(name: str, count: int, out: Path) -> None:
    """Compute and judge what is not done of one backend, a line each."""
    done = len(_lines(out, name))
    (info,) = select_backends([name])
    folder = RunFolder(out / "runs" / file_name(name))
    folder.prepare()
    with (
        threadpool_limits(limits=1),
        Runner(info, folder, _TIMEOUT) as runner,
        _path(out, name).open("a") as file,
    ):
        for number in range(done, count):
            problem = problem_of(number)
            entry = runner.entry(problem)
            truth = reference(problem) if entry.status == "done" else {}
            judged = judge_entry(folder, problem, truth, info, entry)
            folder.forget_outcome(name, problem.case.id)
            line = {"batch": number, **_told(judged)}
            file.write(json.dumps(line) + "\n")
            file.flush()


def _told(judged: Judged) -> dict[str, Any]:
    """Say what came of a batch: the verdict, and how far each kind of bound is kept."""
    found: dict[str, Any] = {
        "verdict": judged.result.verdict,
        "detail": judged.result.detail,
    }
    if held := judged.certificate:
        finals = [ratio.max() for ratio in held.final_ratios.values()]
        sums = [drift.ratio.max() for drift in held.systematic.values()]
        worst = (held.ratio.max(initial=0), max(finals), max(sums, default=0.0))
        found |= {name: float(ratio) for name, ratio in zip(_WHERE, worst, strict=True)}
        found["off"] = {n: f.max_abs for n, f in judged.result.figures.items()}
    return found


def _path(out: Path, name: str) -> Path:
    return out / f"{file_name(name)}.jsonl"


def _lines(out: Path, name: str) -> list[dict[str, Any]]:
    path = _path(out, name)
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


if __name__ == "__main__":
    main()
