"""Every cell that Keras has, by its layers on TensorFlow; all of them by hand."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

# A user's ~/.keras/keras.json may name another backend; this adapter speaks of one.
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

from backends import by_hand
from backends.on_tensorflow import decoding, layout
from backends.on_tensorflow.gradients import named_gradients, seeded_loss
from backends.on_tensorflow.operations import OPS, Tensors
from backends.on_tensorflow.settings import tensorflow_settings
from harness.backend import Scalar, Unsupported
from harness.spec import CELLS, Array, Case, Outcome, Problem

_StepOf = Callable[[int, str], by_hand.Step]
_Held = dict[tuple[int, str], Any]  # layer and direction → the Keras object


class _Result(NamedTuple):
    """An outcome, and the Keras cells or layers that hold the weights."""

    outcome: dict[str, Tensors]
    held: _Held


# Keras' cell and layer of each cell, and what else to say to either. `unit_forget_bias`
# is an initialiser's affair, but one that sounds as if it added something.
_KERAS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("SimpleRNN", {"activation": "tanh"}),
    "rnn_relu": ("SimpleRNN", {"activation": "relu"}),
    "lstm": ("LSTM", {"unit_forget_bias": False}),
    "gru": ("GRU", {"reset_after": True}),
    "gru_reset_before": ("GRU", {"reset_after": False}),
}


class KerasBackend:
    """Runs on the CPU, eagerly; the layers' loops are Keras' own."""

    def versions(self) -> dict[str, str]:
        """Versions of TensorFlow and Keras."""
        return {"tensorflow": tf.__version__, "keras": keras.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report precision, kernels and threads."""
        return {"keras_backend": keras.backend.backend(), **tensorflow_settings()}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        case = problem.case
        if case.variant != "basic" and case.cell not in _KERAS:
            raise Unsupported(f"Keras has neither layer nor cell for {case.cell}")
        variants: dict[str, Callable[[Problem], _Result]] = {
            "basic": _basic,
            "static": _static,
            "static_single": partial(_layers, make=_unrolled),
            "dynamic": partial(_layers, make=_looped),
            "variable_input": partial(_layers, make=_looped),
            "variable_output": _decoded,
        }
        variant, given = variants[case.variant], Problem(case, _tensors(problem))
        if case.task == "gradient":
            return _with_gradients(variant, given)
        return _copied(variant(given).outcome)


def _tensors(problem: Problem) -> dict[str, Any]:
    """Make tensors of all arrays, but not of weights that a Keras object is given."""
    case = problem.case
    loaded = {} if case.variant == "basic" else case.weight_shapes()
    tensors = {
        name: array if name in loaded else tf.constant(array)
        for name, array in problem.arrays.items()
    }
    if case.variant == "static":
        steps = problem["inputs"].swapaxes(0, 1)
        tensors["inputs"] = [tf.constant(x) for x in steps]
    elif case.time_major:
        tensors["inputs"] = tf.constant(problem["inputs"].swapaxes(0, 1))
    return tensors


def _copied(tensors: dict[str, Tensors]) -> dict[str, Array]:
    return {name: tensor.numpy().copy() for name, tensor in tensors.items()}


def _with_gradients(variant: Callable[[Problem], _Result], given: Problem) -> Outcome:
    """Give an outcome, and its seeded sum's gradients by everything that is real."""
    case = given.case
    states = {name: given[f"initial_{name}"] for name in CELLS[case.cell].states}
    own = case.passes if case.variant == "basic" else []
    leaves = [given["inputs"], states, {at: given.weights(*at) for at in own}]
    with tf.GradientTape() as tape:
        tape.watch(leaves)
        made = variant(given)
        loss = seeded_loss(made.outcome, given.arrays)
    variables = {at: layer.trainable_variables for at, layer in made.held.items()}
    found = tape.gradient(loss, [*leaves, variables])
    inputs, initial, weights, native = tf.nest.map_structure(lambda g: g.numpy(), found)
    weights |= {
        at: layout.gradients_to_canonical("keras", case.cell, gradients)
        for at, gradients in native.items()
    }
    inputs = inputs if isinstance(inputs, list) else [inputs]
    named = named_gradients(case, inputs, initial, weights)
    return {**_copied(made.outcome), **named}


def _outcome(outputs: Tensors, finals: list[by_hand.State]) -> dict[str, Tensors]:
    return {"outputs": outputs, **by_hand.final_arrays(finals, tf.stack)}


def _unroll(
    problem: Problem, inputs: list[Tensors], step_of: _StepOf
) -> dict[str, Tensors]:
    """Call one cell for each layer and direction, once for each step."""
    outputs, finals = by_hand.unroll(
        problem.case, inputs, step_of, problem.initial, OPS.concatenate
    )
    return _outcome(tf.stack(outputs, axis=1), finals)


def _basic(problem: Problem) -> _Result:
    """Run the equations of `by_hand` on slices of one tensor of inputs."""

    def step_of(layer: int, way: str) -> by_hand.Step:
        return by_hand.make_step(OPS, problem.case.cell, problem.weights(layer, way))

    x = problem["inputs"]
    inputs = [x[:, t] for t in range(problem.case.steps)]
    return _Result(_unroll(problem, inputs, step_of), {})


def _static(problem: Problem) -> _Result:
    cells, inputs = _cells(problem), list(problem["inputs"])
    outcome = _unroll(problem, inputs, lambda *at: _step(cells[at]))
    return _Result(outcome, cells)


def _decoded(problem: Problem) -> _Result:
    """Loop over the layers' cells in a graph of their own."""
    case, cells = problem.case, _cells(problem)
    steps = [_step(cell) for cell in cells.values()]
    looped = tf.function(partial(decoding.decoded, case), autograph=False)
    arrays = {name: problem[name] for name in decoding.NEEDED}
    initial = [problem.initial(*at) for at in case.passes]
    outcome: dict[str, Tensors] = looped(arrays, steps, initial)
    return _Result(outcome, cells)


def _cells(problem: Problem) -> _Held:
    """Give a loaded Keras cell for each layer and direction."""
    case, cells = problem.case, {}
    for layer, way in case.passes:
        cell = _cell(case)
        cell.build((case.batch, case.input_size(layer)))
        _load(cell, problem, layer, way)
        cells[layer, way] = cell
    return cells


def _step(cell: Any) -> by_hand.Step:
    def step(x: Tensors, state: by_hand.State) -> by_hand.State:
        # Keras' order of states is ours: h, then c.
        _, states = cell(x, list(state.values()))
        return dict(zip(state, states, strict=True))

    return step


def _layers(problem: Problem, make: Callable[[Case], Any]) -> _Result:
    """Call one Keras layer above the other, each made by `make`."""
    case, x, finals = problem.case, _inputs(problem), []
    held: _Held = {}
    mask = None
    if "lengths" in problem.arrays:
        mask = tf.sequence_mask(problem["lengths"], maxlen=case.steps)
    for number in range(case.layers):
        layer, passes = _loaded(make(case), problem, number)
        initial = [problem.initial(number, way) for way in case.directions]
        x, *states = layer(
            x,
            initial_state=[tensor for of in initial for tensor in of.values()],
            mask=mask,
        )
        if case.direction == "reverse":
            # The outputs of `go_backwards` come in the order of computing.
            x = tf.reverse(x, axis=[1])
        if mask is not None:
            # Keras repeats the last output past the end; the contract has zeros.
            x = tf.where(mask[:, :, tf.newaxis], x, tf.zeros_like(x))
        finals += [{name: states.pop(0) for name in of} for of in initial]
        held |= {(number, way): single for way, single in passes.items()}
    return _Result(_outcome(x, finals), held)


def _inputs(problem: Problem) -> Tensors:
    """Give the inputs `[B, T, D]`, transposed by TensorFlow if they are time-major."""
    x = problem["inputs"]
    # Keras 3's layers have no `time_major` any more.
    return tf.transpose(x, perm=[1, 0, 2]) if problem.case.time_major else x


def _loaded(layer: Any, problem: Problem, number: int) -> tuple[Any, dict[str, Any]]:
    """Build a Keras layer that reads what a layer of ours does, and set its weights.

    Also gives the one of each direction that it consists of.
    """
    case = problem.case
    passes = {case.direction: layer}
    if case.direction == "bidirectional":
        layer = keras.layers.Bidirectional(layer, merge_mode="concat", dtype=case.dtype)
        passes = {"forward": layer.forward_layer, "reverse": layer.backward_layer}
    layer.build((case.batch, case.steps, case.input_size(number)))
    for way, single in passes.items():
        _load(single, problem, number, way)
    return layer, passes


def _load(layer: Any, problem: Problem, number: int, way: str) -> None:
    weights = problem.weights(number, way)
    layer.set_weights(layout.to_keras(problem.case.cell, weights))


def _made(case: Case, suffix: str, **more: Any) -> Any:
    name, particular = _KERAS[case.cell]
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
