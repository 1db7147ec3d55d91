"""Healthy random cases: how many the certificate, and fixed tolerances, call broken.

`python -m benchmarks.false_alarms torch random:20000:1 torch.jsonl` computes every case
of a suite in one process, judges it, and writes a line of JSON each; what was written
already is not computed again. `--table torch.jsonl …` sums up.
"""

import importlib
import json
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fixtures import catalogue
from harness.contract import contract_violations
from harness.judge.certify import certify, reference
from harness.judge.peers import PEERS, peers
from harness.run.registry import known_backends, with_settings
from harness.spec import Case


def main() -> None:
    """Compute a suite, or print the table of what was computed."""
    match sys.argv[1:]:
        case ["--table", *names]:
            _print_table([Path(name) for name in names])
        case [backend, suite, out]:
            _compute(backend, suite, Path(out))
        case _:
            sys.exit(str(__doc__))


def _compute(backend: str, suite: str, path: Path) -> None:
    done = {row["case"] for row in _rows(path)}
    cases = [c for c in catalogue.select([suite], [], []) if c.id not in done]
    with path.open("a") as lines:
        for row in _judged(backend, cases):
            lines.write(json.dumps(row) + "\n")
            lines.flush()


def _judged(backend: str, cases: list[Case]) -> Iterator[dict[str, Any]]:
    info = with_settings(known_backends(), backend)
    module, _, name = info.adapter.partition(":")
    adapter = getattr(importlib.import_module(module), name)(**info.options)
    warnings.simplefilter("ignore")
    for case in cases:
        if info.gap(case):
            yield {"case": case.id, "gap": True}
            continue
        problem = catalogue.build(case)
        outcome = adapter.run(problem)
        wrong = contract_violations(outcome, case.output_shapes(), case.dtype)
        truth = reference(problem)
        certificate = certify(problem, outcome, info.accuracy(case))
        choices = certificate.choices
        yield {
            "case": case.id,
            "cell": case.cell,
            "dtype": case.dtype,
            "wrong": wrong + (choices.differs if choices else []),
            "headroom": certificate.headroom,
            "vacuous": certificate.is_vacuous,
            "finite": all(np.isfinite(a).all() for a in truth.values()),
            "peers": peers(problem, truth, outcome),
        }


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text().splitlines():
            if line.endswith("}"):  # one that was cut short is computed again
                yield json.loads(line)


def _print_table(paths: list[Path]) -> None:
    titles = ["backend", "cases", "false alarms", "bound too wide", "largest", *PEERS]
    print("|", " | ".join(titles), "|")
    print("|", " | ".join(["---"] * len(titles)), "|")
    medians: dict[str, list[float]] = defaultdict(list)
    for path in paths:
        rows = [row for row in _rows(path) if "gap" not in row]
        alarms = [r for r in rows if r["finite"] and _is_alarm(r)]
        largest = max((r["headroom"] for r in rows if r["finite"]), default=0.0)
        counts = [sum(not row["peers"][name] for row in rows) for name in PEERS]
        vacuous = sum(row["vacuous"] for row in rows)
        cells = [path.stem, len(rows), len(alarms), vacuous, f"{largest:.2f}", *counts]
        print("|", " | ".join(map(str, cells)), "|")
        for row in alarms:
            print(row["case"], row["headroom"], row["wrong"], file=sys.stderr)
        for row in rows:
            if row["dtype"] == "float32" and row["finite"]:
                medians[row["cell"]].append(row["headroom"])
                medians["all cells"].append(row["headroom"])
    for cell, found in sorted(medians.items()):
        print(
            f"{cell}: median headroom in float32 {np.median(found):.3f}, largest",
            end="",
        )
        print(f" {max(found):.2f}, of {len(found)}")


def _is_alarm(row: dict[str, Any]) -> bool:
    return bool(row["wrong"]) or not row["headroom"] <= 1


if __name__ == "__main__":
    main()
