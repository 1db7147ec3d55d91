"""Weights in another place, order or orientation than where they are looked for."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations, permutations

import numpy as np

from rnn_parity.judge.conventions.biases import TWO_BIASES, orders_of_both
from rnn_parity.judge.conventions.hypothesis import (
    Alter,
    Arrays,
    in_weights,
    other_memory_order,
    within,
)
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_core.cell import Cell

_MOST_ORDERED = 4
_MATRIX = 2  # axes of a weight that something is multiplied by


def _word(name: str) -> str:
    return name.replace("_", " ")


def _wide(cell: Cell) -> tuple[str, ...]:
    """Name the weights that have a block for each gate."""
    return tuple(name for name, axes in cell.weights.items() if axes.endswith("G"))


def _each(name: str, alter: Callable[[Array], Array]) -> Alter:
    return lambda problem, scope: in_weights(problem, name, alter, scope)


def _transposed(name: str, axes: str) -> Alter:
    """Transpose each gate's block, where it is square."""

    def altered(problem: Problem, scope: str) -> Arrays:
        def alter(array: Array) -> Array:
            width = problem.case.units if axes.endswith("G") else array.shape[1]
            if array.shape[0] != width:
                return array
            blocks = np.split(array, array.shape[1] // width, axis=1)
            return np.concatenate([block.T for block in blocks], axis=1)

        return in_weights(problem, name, alter, scope)

    return altered


def everywhere_or_not(cell: Cell) -> dict[str, Alter]:
    """Give mistakes that are made in all layers and directions, or in some of them."""
    found: dict[str, Alter] = {}
    names = sorted(cell.weights, key=lambda name: name != "recurrent_kernel")
    for name in names:
        axes = cell.weights[name]
        if len(axes) == _MATRIX and not axes[0].isdigit():
            found[f"{_word(name)} transposed"] = _transposed(name, axes)
            other = _each(name, other_memory_order)
            found[f"{_word(name)} in the other memory order"] = other
    if "bias" in cell.weights:
        found["bias dropped"] = _each("bias", np.zeros_like)
        found["bias added twice"] = _each("bias", lambda a: 2 * a)
        found["bias negated"] = _each("bias", np.negative)
    for name in names:
        found.setdefault(f"{_word(name)} dropped", _each(name, np.zeros_like))
    for words, mistake in cell.mistakes.items():
        if mistake.weights:
            found[words] = partial(_altered, mistake.weights)
        else:  # the words say something else then
            found.pop(words, None)
    return found


def _altered(
    alter: Callable[[Mapping[str, Array]], Arrays], problem: Problem, scope: str
) -> Arrays:
    """Alter the weights of each layer and direction of a scope."""
    found: dict[str, Array] = {}
    for layer, way in problem.case.passes:
        if within(layer, way, scope):
            given = {**problem.case.no_biases(), **problem.weights(layer, way)}
            made = alter(given).items()
            found |= {f"layer{layer}.{way}.{name}": array for name, array in made}
    return found


def reordered(
    problem: Problem, order: tuple[int, ...], names: tuple[str, ...]
) -> Arrays:
    """Read gates of some weights in another order: block k is that of `order[k]`."""
    found: dict[str, Array] = {}
    for name in names:
        found |= in_weights(
            problem,
            name,
            lambda array: np.concatenate(
                [np.split(array, len(order), axis=-1)[k] for k in order], axis=-1
            ),
        )
    return found


def _words(order: tuple[int, ...], names: tuple[str, ...]) -> str:
    """Say in which order names were read: what is taken from place p stands at p."""
    read = ", ".join(names[order.index(place)] for place in range(len(names)))
    return f"{read} instead of {', '.join(names)}"


def _orders(count: int) -> Iterator[tuple[int, ...]]:
    """Give every order but the right one; of many gates, two swapped."""
    if count > _MOST_ORDERED:
        for one, two in combinations(range(count), 2):
            swapped = [*range(count)]
            swapped[one], swapped[two] = two, one
            yield tuple(swapped)
        return
    yield from (o for o in permutations(range(count)) if list(o) != sorted(o))


def gate_orders(problem: Problem) -> Iterator[tuple[str, Alter]]:
    """Give every order that all gates can be read in."""
    gates = CELLS[problem.case.cell].gates
    for order in _orders(len(gates)):
        yield f"gate order {_words(order, gates)}", partial(_read_in, order)
    for order, biases in orders_of_both(problem):
        name = f"gate order {_words(order, gates)}"
        yield name, partial(_both_read_in, order, biases)


def _read_in(order: tuple[int, ...], problem: Problem, _scope: str) -> Arrays:
    return reordered(problem, order, _wide(CELLS[problem.case.cell]))


def _both_read_in(
    order: tuple[int, ...], biases: Alter, problem: Problem, scope: str
) -> Arrays:
    """Read kernels and two biases in another order; nothing, if there are no two."""
    both = biases(problem, scope)
    return {**_read_in(order, problem, scope), **both} if both else {}


def _orders_of_one(problem: Problem) -> Iterator[tuple[str, Arrays]]:
    """Read the gates of one weight alone in another order."""
    gates = CELLS[problem.case.cell].gates
    for name in reversed(_wide(CELLS[problem.case.cell])):
        for order in _orders(len(gates)):
            words = f"gate order {_words(order, gates)} in the "
            yield (
                f"{words}{_word(name)} alone",
                reordered(problem, order, (name,)),
            )


def _interleaved(problem: Problem, *, back: bool) -> Arrays:
    """Take blocks for columns unit by unit, all gates of one side by side; or back."""
    gates = max(len(CELLS[problem.case.cell].gates), 1)
    found: dict[str, Array] = {}

    def alter(a: Array) -> Array:
        sides = (gates, -1) if back else (-1, gates)
        return a.reshape(*a.shape[:-1], *sides).swapaxes(-1, -2).reshape(a.shape)

    for name in _wide(CELLS[problem.case.cell]):
        found |= in_weights(problem, name, alter)
    return found


def _state_before_inputs(problem: Problem) -> Arrays:
    """Take one matrix with rows [x; h] for one with rows [h; x]."""
    found: dict[str, Array] = {}
    axes = CELLS[problem.case.cell].weights
    if (axes.get("kernel"), axes.get("recurrent_kernel")) != ("IG", "RG"):
        return found
    for layer, way in problem.case.passes:
        weights, prefix = problem.weights(layer, way), f"layer{layer}.{way}."
        whole = np.concatenate([weights["kernel"], weights["recurrent_kernel"]])
        size = problem.case.recurrent_size
        found[f"{prefix}kernel"] = whole[size:]
        found[f"{prefix}recurrent_kernel"] = whole[:size]
    return found


def _gates_dropped(problem: Problem) -> Iterator[tuple[str, Arrays]]:
    """Drop the bias of one gate."""
    gates = CELLS[problem.case.cell].gates
    for gate in gates if len(gates) > 1 else ():
        rest = np.repeat([float(g != gate) for g in gates], problem.case.units)
        dropped = in_weights(problem, "bias", partial(np.multiply, rest))
        yield f"bias of gate {gate} dropped", dropped


def _from_other_passes(problem: Problem) -> Iterator[tuple[str, Arrays]]:
    """Take the weights of another layer or direction, where they fit."""
    case = problem.case
    other = {"forward": "reverse", "reverse": "forward"}
    if len(case.directions) > 1:
        to_forward = {at: (at[0], "forward") for at in case.passes}
        yield (
            "reverse direction shares the forward weights",
            _taken(problem, to_forward),
        )
        swapped = {at: (at[0], other[at[1]]) for at in case.passes}
        yield "weights of the directions swapped", _taken(problem, swapped)
    if case.layers > 1:
        to_first = {at: (0, at[1]) for at in case.passes}
        yield "upper layers share the first layer's weights", _taken(problem, to_first)
        for name in CELLS[case.cell].weights:
            words = f"upper layers share the first layer's {_word(name)}"
            yield words, _taken(problem, to_first, name)
        backwards = {at: (case.layers - 1 - at[0], at[1]) for at in case.passes}
        yield "weights of the layers in reverse order", _taken(problem, backwards)


def _taken(
    problem: Problem,
    source: Mapping[tuple[int, str], tuple[int, str]],
    only: str = "",
) -> Arrays:
    """Take each pass's weights from another one; nothing, if some do not fit."""
    found = {}
    for (layer, way), (from_layer, from_way) in source.items():
        for name, array in problem.weights(layer, way).items():
            theirs = problem[f"layer{from_layer}.{from_way}.{name}"]
            if only in {"", name} and theirs.shape != array.shape:
                return {}
            if only in {"", name}:
                found[f"layer{layer}.{way}.{name}"] = theirs
    return found


def weight_conventions(problem: Problem) -> Iterator[tuple[str, Arrays]]:
    """Give everything that can happen to all weights, common things first."""
    cell = CELLS[problem.case.cell]
    for name, alter in (*everywhere_or_not(cell).items(), *TWO_BIASES.items()):
        yield name, alter(problem, "")
    for name, alter in gate_orders(problem):
        yield name, alter(problem, "")
    yield "rows of kernels [h; x] instead of [x; h]", _state_before_inputs(problem)
    yield from _gates_dropped(problem)
    yield from _from_other_passes(problem)
    columns = partial(_interleaved, problem)
    yield "gates read as interleaved unit by unit", columns(back=False)
    yield "gates interleaved unit by unit, read in blocks", columns(back=True)
    yield from _orders_of_one(problem)


def partial_conventions(problem: Problem) -> Iterator[tuple[str, Arrays]]:
    """Give mistakes made in some layers or in one direction alone."""
    scopes: dict[str, str] = {}
    if problem.case.layers > 1:
        scopes |= {
            "upper": "in upper layers alone",
            "first": "in the first layer alone",
        }
    if len(problem.case.directions) > 1:
        scopes |= {
            way: f"in the {way} direction alone" for way in ("reverse", "forward")
        }
    every = {**everywhere_or_not(CELLS[problem.case.cell]), **TWO_BIASES}
    for scope, words in scopes.items():
        for name, alter in every.items():
            yield f"{name} {words}", alter(problem, scope)
