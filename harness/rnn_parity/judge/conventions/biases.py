"""Two biases where ours is one: those of PyTorch, ONNX, cuDNN and of a Keras GRU.

They are added up at all gates but a GRU's candidate, where the reset gate stands
between. A file's two biases are known of a model that is verified; an adapter that is
given our one bias hands on two halves of it.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import permutations

import numpy as np

from rnn_parity.judge.conventions.hypothesis import Alter, Arrays, within
from rnn_parity_core import CELLS, Array, Problem

_Pair = Callable[[Array], Array]
"""The inputs' bias and the state's `[2, G]` → what is taken for them."""


def _known(problem: Problem, layer: int, way: str) -> Array | None:
    return problem.biases.get(f"layer{layer}.{way}")


def _halves(problem: Problem, layer: int, way: str) -> Array | None:
    """Give what adapters hand on; of a GRU's candidate both are ours."""
    weights = problem.weights(layer, way)
    if "bias" not in weights:
        return None
    pair = np.stack([weights["bias"]] * 2) / 2
    if (recurrent := weights.get("recurrent_bias")) is not None:
        pair[:, -recurrent.size :] = weights["bias"][-recurrent.size :], recurrent
    return pair


_Find = Callable[[Problem, int, str], Array | None]


def _added_up(problem: Problem, find: _Find, change: _Pair, scope: str) -> Arrays:
    """Give the weights of two biases that were changed."""
    found = {}
    for layer, way in problem.case.passes:
        pair = find(problem, layer, way)
        if pair is None or not within(layer, way, scope):
            continue
        first, second = change(pair.astype(np.float64))
        prefix, bias = f"layer{layer}.{way}.", first + second
        if "recurrent_bias" in CELLS[problem.case.cell].weights:
            units = problem.case.units
            bias[-units:] = first[-units:]
            found[f"{prefix}recurrent_bias"] = second[-units:]
        found[f"{prefix}bias"] = bias
    return found


def _times(first: float, second: float) -> _Pair:
    return lambda pair: pair * [[first], [second]]


def _twice(number: int) -> _Pair:
    return lambda pair: np.stack([pair[number]] * 2)


_CHANGES: Mapping[str, _Pair] = {
    "bias_ih dropped": _times(0, 1),
    "bias_hh dropped": _times(1, 0),
    "bias_ih added twice": _times(2, 1),
    "bias_hh added twice": _times(1, 2),
    "bias_ih taken for bias_hh, too": _twice(0),
    "bias_hh taken for bias_ih, too": _twice(1),
}
_OF_HALVES = ", of a bias kept as two halves"


def _named() -> Iterator[tuple[str, Alter]]:
    for words, find in (("", _known), (_OF_HALVES, _halves)):
        for name, change in _CHANGES.items():
            yield f"{name}{words}", partial(_altered, find, change)


def _altered(find: _Find, change: _Pair, problem: Problem, scope: str) -> Arrays:
    return _added_up(problem, find, change, scope)


TWO_BIASES: Mapping[str, Alter] = dict(_named())
"""What is done to one of two biases, in all layers and directions or in some of them;
PyTorch's names, which are `Wb` and `Rb` in ONNX."""


def orders_of_both(problem: Problem) -> Iterator[tuple[tuple[int, ...], Alter]]:
    """Give orders in which a GRU's candidate gets both biases of another gate."""
    if "recurrent_bias" not in CELLS[problem.case.cell].weights:
        return
    gates = range(len(CELLS[problem.case.cell].gates))
    for order in permutations(gates):
        if order[-1] != gates[-1]:
            for find in (_known, _halves):
                change = partial(_in_order, order)
                yield order, partial(_altered, find, change)


def _in_order(order: tuple[int, ...], pair: Array) -> Array:
    blocks = np.split(pair, len(order), axis=-1)
    return np.concatenate([blocks[k] for k in order], axis=-1)
