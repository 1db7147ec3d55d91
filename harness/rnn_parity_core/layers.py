"""Stacks taken apart: each layer by itself, reading what the layer below gave."""

from msgspec.structs import replace

from rnn_parity_core.cells import CELLS
from rnn_parity_core.functions import Array
from rnn_parity_core.spec import Case, Outcome, Problem


def lower_outputs(case: Case) -> list[str]:
    """Name the outputs of every layer below the last: `layer0.outputs`, …."""
    return [*case.layer_shapes()]


def shows_layers(case: Case, outcome: Outcome) -> bool:
    """Whether an outcome has the outputs of all layers of a stack."""
    names = lower_outputs(case)
    return bool(names) and all(name in outcome for name in [*names, "outputs"])


def one_layer(problem: Problem, layer: int, inputs: Array) -> Problem:
    """Give the problem of one layer of a stack that reads certain inputs."""
    case = problem.case
    ways = len(case.directions)
    own = slice(layer * ways, (layer + 1) * ways)
    arrays = {"inputs": inputs}
    if "lengths" in problem.arrays:
        arrays["lengths"] = problem["lengths"]
    for state in CELLS[case.cell].states:
        arrays[f"initial_{state}"] = problem[f"initial_{state}"][own]
    for way in case.directions:
        for name, array in problem.weights(layer, way).items():
            arrays[f"layer0.{way}.{name}"] = array
    return Problem(replace(case, layers=1, features=inputs.shape[-1]), arrays)


def own_outcome(case: Case, layer: int, outcome: Outcome) -> dict[str, Array]:
    """Give what an outcome of a stack says of one layer, as if it were alone."""
    ways = len(case.directions)
    last = layer == case.layers - 1
    found = {"outputs": outcome["outputs" if last else f"layer{layer}.outputs"]}
    for state in CELLS[case.cell].states:
        if (name := f"final_{state}") in outcome:
            found[name] = outcome[name][layer * ways : (layer + 1) * ways]
    return found


def taken_apart(
    problem: Problem, outcome: Outcome
) -> list[tuple[Problem, dict[str, Array]]]:
    """Give each layer's problem, and what an outcome with all layers says of it."""
    case = problem.case
    reads = [problem["inputs"], *(outcome[name] for name in lower_outputs(case))]
    return [
        (one_layer(problem, k, of), own_outcome(case, k, outcome))
        for k, of in enumerate(reads)
    ]
