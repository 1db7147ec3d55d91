"""Keras' cells and layers that hold a case's weights, and how each variant calls them.

They are built once, and given the weights of any problem of their shape.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from rnn_parity_backends import equations
from rnn_parity_backends.with_keras import DECODED_FROM, FUNCTIONS, layout
from rnn_parity_core import CELLS, Array, Case, Cell, Problem, Unsupported

Tensors = Any  # the backend's own, or what Keras makes of them
Decode = Callable[[dict[str, Tensors], list[equations.State]], dict[str, Tensors]]
"""Arrays that are `DECODED_FROM`, and each layer's initial states, to an outcome."""
MakeDecode = Callable[[Case, list[equations.Step]], Decode]
"""A case and the step of each of its layers to the loop that feeds itself."""

_At = tuple[int, str]  # layer and direction
_Held = dict[_At, Any]  # the Keras object of each, or its weights by name
_Call = Callable[[Problem], dict[str, Tensors]]

# Keras' cell and layer of each cell, and what to say to either beside activations.
# `unit_forget_bias` is an initialiser's affair, but sounds as if it added something.
_KERAS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("SimpleRNN", {}),
    "rnn_relu": ("SimpleRNN", {}),
    "lstm": ("LSTM", {"unit_forget_bias": False}),
    "gru": ("GRU", {"reset_after": True}),
    "gru_reset_before": ("GRU", {"reset_after": False}),
}


class Network:
    """What holds a case's weights; called with a problem of tensors, it computes one.

    Args:
        case: A case; its seed does not matter.
        by_hand_ops: Elementwise functions of the cells by hand.
        make_decode: Makes the loop of `variable_output`.

    Raises:
        Unsupported: Keras has neither layer nor cell for it.

    """

    def __init__(
        self, case: Case, by_hand_ops: equations.Ops, make_decode: MakeDecode
    ) -> None:
        if case.variant != "basic":
            _see_possible(CELLS[case.cell])
        builders: dict[str, Callable[[Case], tuple[_Held, _Call]]] = {
            "basic": partial(_by_hand, elementwise=by_hand_ops),
            "static": _unrolled_cells,
            "static_single": partial(_layers, make=_unrolled),
            "dynamic": partial(_layers, make=_looped),
            "variable_input": partial(_layers, make=_looped),
            "variable_output": partial(_decoder, make_decode=make_decode),
        }
        self.case = case
        held, self._call = builders[case.variant](case)
        of_each = [_variables(held[at]) for at in case.passes]
        self.variables = [variable for of in of_each for variable in of]
        """Keras' variables, in the order of the layout."""

    def __call__(self, problem: Problem) -> dict[str, Tensors]:
        """Compute an outcome from tensors, by the weights that were loaded.

        `inputs` are `[B, T, D]`, if time-major `[T, B, D]`, in `static` a list.
        """
        return self._call(problem)

    def load(self, problem: Problem) -> None:
        """Set the weights to those of a problem of arrays."""
        native = layout.native_weights(problem)
        for variable, array in zip(self.variables, native, strict=True):
            variable.assign(array)

    def weights(self) -> dict[str, Array]:
        """Give copies of the canonical weights as they are now, by full name."""
        arrays = [np.array(ops.convert_to_numpy(v)) for v in self.variables]
        return layout.canonical_weights(self.case, arrays)


def _see_possible(cell: Cell) -> None:
    """See that Keras has a layer for a cell, and functions of its activations.

    Raises:
        Unsupported: It has not.

    """
    if cell.base not in _KERAS:
        raise Unsupported(f"Keras has neither layer nor cell for {cell.name}")
    chosen = cell.chosen
    if others := {*chosen.values()} - {*FUNCTIONS}:
        raise Unsupported(f"Keras has no {', '.join(sorted(others))}")
    if chosen.get("output_activation", chosen["activation"]) != chosen["activation"]:
        raise Unsupported("Keras has one function for the candidate and the output")


def _variables(held: Any) -> list[Any]:
    return list(held.values()) if isinstance(held, dict) else held.weights


def _outcome(outputs: Tensors, finals: list[equations.State]) -> dict[str, Tensors]:
    return {"outputs": outputs, **equations.final_arrays(finals, ops.stack)}


def _by_hand(case: Case, elementwise: equations.Ops) -> tuple[_Held, _Call]:
    """Run the equations of `by_hand` on slices of one tensor of inputs."""
    shapes = case.weight_shapes()
    held: _Held = {
        (layer, way): {
            name: keras.Variable("zeros", shapes[full], case.dtype)
            for name in CELLS[case.cell].weights
            if (full := f"layer{layer}.{way}.{name}") in shapes
        }
        for layer, way in case.passes
    }

    def step_of(layer: int, way: str) -> equations.Step:
        read = {n: ops.convert_to_tensor(v) for n, v in held[layer, way].items()}
        return equations.make_step(elementwise, case.cell, read)

    def call(problem: Problem) -> dict[str, Tensors]:
        x = problem["inputs"]
        return _unroll(problem, [x[:, t] for t in range(case.steps)], step_of)

    return held, call


def _unroll(
    problem: Problem,
    inputs: list[Tensors],
    step_of: Callable[[int, str], equations.Step],
) -> dict[str, Tensors]:
    """Call one cell for each layer and direction, once for each step."""
    outputs, finals = equations.unroll(
        problem.case, inputs, step_of, problem.initial, _side_by_side
    )
    return _outcome(ops.stack(outputs, axis=1), finals)


def _side_by_side(tensors: list[Tensors]) -> Tensors:
    return ops.concatenate(tensors, axis=-1)


def _cells(case: Case) -> _Held:
    """Give a Keras cell for each layer and direction."""
    cells = {}
    for layer, way in case.passes:
        cells[layer, way] = _cell(case)
        cells[layer, way].build((case.batch, case.input_size(layer)))
    return cells


def _step(cell: Any) -> equations.Step:
    def step(x: Tensors, state: equations.State) -> equations.State:
        # Keras' order of states; JAX hands dictionaries on sorted by their keys.
        names = [name for name in ("h", "c") if name in state]
        _, states = cell(x, [state[name] for name in names])
        return dict(zip(names, states, strict=True))

    return step


def _unrolled_cells(case: Case) -> tuple[_Held, _Call]:
    cells = _cells(case)
    return cells, lambda problem: _unroll(
        problem, list(problem["inputs"]), lambda *at: _step(cells[at])
    )


def _decoder(case: Case, make_decode: MakeDecode) -> tuple[_Held, _Call]:
    """Loop over the layers' cells."""
    cells = _cells(case)
    decode = make_decode(case, [_step(cell) for cell in cells.values()])

    def call(problem: Problem) -> dict[str, Tensors]:
        arrays = {name: problem[name] for name in DECODED_FROM}
        return decode(arrays, [problem.initial(*at) for at in case.passes])

    return cells, call


def _layers(case: Case, make: Callable[[Case], Any]) -> tuple[_Held, _Call]:
    """Call one Keras layer above the other, each made by `make`."""
    built = [_built(make(case), case, number) for number in range(case.layers)]
    held = {
        (number, way): single
        for number, (_, passes) in enumerate(built)
        for way, single in passes.items()
    }
    layers = [layer for layer, _ in built]
    return held, lambda problem: _stacked(layers, problem)


def _stacked(layers: list[Any], problem: Problem) -> dict[str, Tensors]:
    case, x, finals = problem.case, problem["inputs"], []
    if case.time_major:
        # Keras 3's layers have no `time_major` any more.
        x = ops.transpose(x, [1, 0, 2])
    mask = None
    if "lengths" in problem.arrays:
        mask = ops.arange(case.steps) < problem["lengths"][:, np.newaxis]
    for number, layer in enumerate(layers):
        initial = [problem.initial(number, way) for way in case.directions]
        x, *states = layer(
            x,
            initial_state=[tensor for of in initial for tensor in of.values()],
            mask=mask,
        )
        if case.direction == "reverse":
            # The outputs of `go_backwards` come in the order of computing.
            x = ops.flip(x, axis=1)
        if mask is not None:
            # Keras repeats the last output past the end; the contract has zeros.
            x = ops.where(mask[:, :, np.newaxis], x, ops.zeros_like(x))
        finals += [{name: states.pop(0) for name in of} for of in initial]
    return _outcome(x, finals)


def _built(layer: Any, case: Case, number: int) -> tuple[Any, dict[str, Any]]:
    """Build a Keras layer that reads what a layer of ours does.

    Also gives the one of each direction that it consists of.
    """
    passes = {case.direction: layer}
    if case.direction == "bidirectional":
        layer = keras.layers.Bidirectional(layer, merge_mode="concat", dtype=case.dtype)
        passes = {"forward": layer.forward_layer, "reverse": layer.backward_layer}
    layer.build((case.batch, case.steps, case.input_size(number)))
    return layer, passes


def _made(case: Case, suffix: str, **more: Any) -> Any:
    cell = CELLS[case.cell]
    name, particular = _KERAS[cell.base]
    for place in cell.chosen.keys() & {"activation", "recurrent_activation"}:
        particular = {**particular, place: cell.chosen[place]}
    make = getattr(keras.layers, name + suffix)
    # The default, orthogonal, is of a QR decomposition, which bfloat16 has not.
    more["recurrent_initializer"] = "zeros"
    return make(case.units, use_bias=case.bias, dtype=case.dtype, **particular, **more)


def _cell(case: Case) -> Any:
    return _made(case, "Cell")


def _returns(case: Case) -> dict[str, Any]:
    return {
        "return_sequences": True,
        "return_state": True,
        "go_backwards": case.direction == "reverse",
    }


def _unrolled(case: Case) -> Any:
    return keras.layers.RNN(
        _cell(case), unroll=True, dtype=case.dtype, **_returns(case)
    )


def _looped(case: Case) -> Any:
    return _made(case, "", **_returns(case))
