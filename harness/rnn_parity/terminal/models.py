"""What was found in a model's file, what it is run on, what was written."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from rnn_parity.models.layer import UNNAMED, Recurrent
from rnn_parity.runs.model_batches import PROBE, batches
from rnn_parity.terminal.common import COLOURS, count
from rnn_parity_core import BackendInfo, Problem, clean
from rnn_parity_reports.describe import (
    by_estimate,
    mark_of,
    number_of,
    sizes,
    without_place,
)
from rnn_parity_reports.results import GOOD, Result


def show_layer(console: Console, layer: Recurrent) -> None:
    """Say what a layer is: cell, sizes, direction, dtype, whose convention."""
    case = layer.case
    parts = [case.cell, count(range(case.layers), "layer"), case.direction]
    projected = f" projected to {case.projection}" if case.projection else ""
    parts.append(f"{case.features} → {case.units} units{projected}")
    parts += [] if case.bias else ["no biases"]
    parts += [case.dtype, f"as {layer.convention} keeps it"]
    named = layer.name if layer.name != UNNAMED else "the layer"
    name = (clean(named), "bold")
    console.print(
        Text.assemble("found ", name, f": {', '.join(parts)}"), soft_wrap=True
    )
    for note in layer.notes:
        console.print(Text(f"  {clean(note)}", "dim"), soft_wrap=True)


def show_problems(
    console: Console,
    problems: Sequence[Problem],
    inputs: Path | None,
    expected: Path | None,
) -> None:
    """Say what a layer is run on, and what it is compared with."""
    first, *probes = problems
    said = f"on    {sizes(first.case)}"
    if "lengths" in first.arrays:
        lengths = first["lengths"]
        said += f", of lengths from {lengths.min()} to {lengths.max()}"
    said += f", of {inputs}" if inputs else ", seeded"
    for probe in probes:
        shows = "that show every weight" if probe.case.probe else f"of {inputs}, too"
        said += f"; and {sizes(probe.case)} {shows}"
    if not probes:
        said += "; a batch that shows every weight would be too large"
    said += f"; expected: {expected}" if expected else ""
    console.print(Text(clean(said)), soft_wrap=True)


def show_backends(
    console: Console, chosen: Sequence[BackendInfo], *, by_default: bool
) -> None:
    """Say which backends run a layer, and how to run it on more."""
    said = f"by    {', '.join(info.name for info in chosen)}"
    said += "; on all that are installed: --backends all" if by_default else ""
    console.print(Text(clean(said)), soft_wrap=True)


def show_written(
    console: Console, problems: Sequence[Problem], out: Path, model: Sequence[str]
) -> None:
    """Say what was written for somebody's own framework, and what to do with it."""
    arrays = batches(problems).items()
    said = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays)
    console.print(
        Text.assemble("wrote ", (clean(str(out)), "bold"), f": {said}"), soft_wrap=True
    )
    case = problems[0].case
    names = [*case.forward_shapes(), *case.layer_shapes()]
    names += [f"{PROBE}{name}" for name in names] if len(problems) > 1 else []
    command = shlex.join(
        ["rnn-parity", "verify", *model, "--inputs", str(out), "--expected", "FILE"]
    )
    both = "both batches" if len(problems) > 1 else "it"
    words = f"next  run your framework on {both}, from these initial states; save what "
    words += f"it returns, any of {', '.join(names)}, as one FILE, .npz or "
    words += f".safetensors; then: {command}"
    console.print(Text(clean(words)), soft_wrap=True)


def show_conversion(console: Console, results: Sequence[Result], out: Path) -> None:
    """Say what certifies a file that was written, or why nothing does."""
    shown = [result for result in results if result.verdict in GOOD]
    if shown:
        result = max(shown, key=lambda of: number_of(of) or 0)
        estimate = " (estimate)" if by_estimate(result) else ""
        words = f"{result.backend} computes the same, error / bound "
        words += f"{number_of(result):.2f}{estimate}"
        mark = (f"{mark_of(result)} ", COLOURS[result.verdict])
        console.print(Text.assemble(mark, clean(words)), soft_wrap=True)
    for result in results if not shown else ():
        why = f"{result.backend}: {without_place(result.detail)}"
        run = result.verdict == "inconclusive"
        words = f"{'run, but' if run else 'not run, so'} not certified: {why}"
        console.print(Text(clean(words), COLOURS[result.verdict]), soft_wrap=True)
    for note in dict.fromkeys(note for of in results for note in of.not_shown):
        console.print(Text(clean(f"  not shown: {note}"), "dim"), soft_wrap=True)
    console.print(Text.assemble("wrote ", (clean(str(out)), "bold")), soft_wrap=True)
