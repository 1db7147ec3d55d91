"""Weights in another place, order or orientation than where they are looked for."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import permutations

import numpy as np

from rnn_parity.judge.conventions.biases import TWO_BIASES, orders_of_both
from rnn_parity.judge.conventions.hypothesis import (
    Alter,
    Arrays,
    in_weights,
    other_memory_order,
)
from rnn_parity_core import CELLS, Array, Problem

_WIDE = ("kernel", "recurrent_kernel", "bias")  # all that have a block for each gate
_WORDS = {"recurrent_kernel": "recurrent kernel", "recurrent_bias": "recurrent bias"}
_PEEPHOLES = ("i", "f", "o")


def _each(name: str, alter: Callable[[Array], Array]) -> Alter:
    return lambda problem, scope: in_weights(problem, name, alter, scope)


def _transposed(name: str) -> Alter:
    """Transpose each gate's block, where it is square."""

    def altered(problem: Problem, scope: str) -> Arrays:
        units = 1 if name == "projection" else problem.case.units

        def alter(array: Array) -> Array:
            width = array.shape[1] if name == "projection" else units
            if array.shape[0] != width:
                return array
            blocks = np.split(array, array.shape[1] // width, axis=1)
            return np.concatenate([block.T for block in blocks], axis=1)

        return in_weights(problem, name, alter, scope)

    return altered


def _forget_moved(by: float) -> Alter:
    """Add to the forget gate's bias, also where there are no biases."""

    def altered(problem: Problem, scope: str) -> Arrays:
        gates = CELLS[problem.case.cell].gates
        if "f" not in gates:
            return {}
        zeros = np.zeros(len(gates) * problem.case.units)
        passes = problem.case.passes
        biases = {f"layer{layer}.{way}.bias": zeros for layer, way in passes}
        whole = Problem(problem.case, {**biases, **problem.arrays})
        offset = np.repeat([by * (gate == "f") for gate in gates], problem.case.units)
        return in_weights(whole, "bias", lambda a: a + offset, scope)

    return altered


def _transposed_words() -> dict[str, Alter]:
    found = {}
    for name in ("recurrent_kernel", "kernel", "projection"):
        word = _WORDS.get(name, name)
        found[f"{word} transposed"] = _transposed(name)
        found[f"{word} in the other memory order"] = _each(name, other_memory_order)
    return found


EVERYWHERE_OR_NOT: Mapping[str, Alter] = {
    **_transposed_words(),
    "bias dropped": _each("bias", np.zeros_like),
    "bias added twice": _each("bias", lambda a: 2 * a),
    "bias negated": _each("bias", np.negative),
    "recurrent bias dropped": _each("recurrent_bias", np.zeros_like),
    "peepholes dropped": _each("peephole", np.zeros_like),
    "recurrent kernel dropped": _each("recurrent_kernel", np.zeros_like),
    "kernel dropped": _each("kernel", np.zeros_like),
    "1 added to the forget gate": _forget_moved(1.0),
    "1 missing from the forget gate": _forget_moved(-1.0),
}
"""Mistakes that are made in all layers and directions, or in some of them."""


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
    """Give every order but the right one."""
    return (o for o in permutations(range(count)) if list(o) != sorted(o))


def gate_orders(problem: Problem) -> Iterator[tuple[str, Alter]]:
    """Give every order that all gates can be read in."""
    gates = CELLS[problem.case.cell].gates
    for order in _orders(len(gates)):
        yield f"gate order {_words(order, gates)}", partial(_read_in, order)
    for order, biases in orders_of_both(problem):
        name = f"gate order {_words(order, gates)}"
        yield name, partial(_both_read_in, order, biases)


def _read_in(order: tuple[int, ...], problem: Problem, _scope: str) -> Arrays:
    return reordered(problem, order, _WIDE)


def _both_read_in(
    order: tuple[int, ...], biases: Alter, problem: Problem, scope: str
) -> Arrays:
    """Read kernels and two biases in another order; nothing, if there are no two."""
    both = biases(problem, scope)
    return {**reordered(problem, order, _WIDE), **both} if both else {}


def _orders_of_one(problem: Problem) -> Iterator[tuple[str, Arrays]]:
    """Read the gates of one weight alone in another order."""
    gates = CELLS[problem.case.cell].gates
    for name in ("bias", "recurrent_kernel", "kernel"):
        for order in _orders(len(gates)):
            words = f"gate order {_words(order, gates)} in the "
            yield (
                f"{words}{_WORDS.get(name, name)} alone",
                reordered(problem, order, (name,)),
            )


def _interleaved(problem: Problem, *, back: bool) -> Arrays:
    """Take blocks for columns unit by unit, all gates of one side by side; or back."""
    gates = len(CELLS[problem.case.cell].gates)
    found: dict[str, Array] = {}

    def alter(a: Array) -> Array:
        sides = (gates, -1) if back else (-1, gates)
        return a.reshape(*a.shape[:-1], *sides).swapaxes(-1, -2).reshape(a.shape)

    for name in _WIDE:
        found |= in_weights(problem, name, alter)
    return found


def _state_before_inputs(problem: Problem) -> Arrays:
    """Take one matrix with rows [x; h] for one with rows [h; x]."""
    found = {}
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


def _rows(rows: list[int], array: Array) -> Array:
    return array[rows]


def _peepholes(problem: Problem) -> Iterator[tuple[str, Arrays]]:
    if "peephole" not in CELLS[problem.case.cell].weights:
        return
    taken: dict[str, list[int]] = {
        f"peephole order {_words(o, _PEEPHOLES)}": list(o) for o in _orders(3)
    }
    taken |= {f"peephole of {_PEEPHOLES[k]} for all gates": [k] * 3 for k in range(3)}
    for name, rows in taken.items():
        yield name, in_weights(problem, "peephole", partial(_rows, rows))
    for k, gate in enumerate(_PEEPHOLES):
        rest = np.arange(3)[:, np.newaxis] != k
        dropped = in_weights(problem, "peephole", partial(np.multiply, rest))
        yield f"peephole of gate {gate} dropped", dropped


_CANDIDATE_BIASES: Mapping[str, Callable[[Array, Array], tuple[Array, Array]]] = {
    "recurrent bias b_hn outside of the reset": lambda n, hn: (n + hn, 0 * hn),
    "bias b_n inside of the reset": lambda n, hn: (0 * n, n + hn),
    "biases b_n and b_hn swapped": lambda n, hn: (hn, n),
    "recurrent bias b_hn outside of the reset as well": lambda n, hn: (n + hn, hn),
    "bias b_n inside of the reset as well": lambda n, hn: (n, n + hn),
}


def _candidate_biases(problem: Problem) -> Iterator[tuple[str, Arrays]]:
    """Make other biases of b_n and b_hn of a GRU."""
    if "recurrent_bias" not in problem.weights(0, problem.case.directions[0]):
        return
    units = problem.case.units
    for name, combine in _CANDIDATE_BIASES.items():
        found = {}
        for layer, way in problem.case.passes:
            weights, prefix = problem.weights(layer, way), f"layer{layer}.{way}."
            bias = weights["bias"]
            of_n, recurrent = combine(bias[2 * units :], weights["recurrent_bias"])
            found[f"{prefix}bias"] = np.concatenate([bias[: 2 * units], of_n])
            found[f"{prefix}recurrent_bias"] = recurrent
        yield name, found


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
            words = f"upper layers share the first layer's {_WORDS.get(name, name)}"
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
    for name, alter in (*EVERYWHERE_OR_NOT.items(), *TWO_BIASES.items()):
        yield name, alter(problem, "")
    for name, alter in gate_orders(problem):
        yield name, alter(problem, "")
    yield "rows of kernels [h; x] instead of [x; h]", _state_before_inputs(problem)
    yield from _candidate_biases(problem)
    yield from _gates_dropped(problem)
    yield from _peepholes(problem)
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
    for scope, words in scopes.items():
        for name, alter in (*EVERYWHERE_OR_NOT.items(), *TWO_BIASES.items()):
            yield f"{name} {words}", alter(problem, scope)
