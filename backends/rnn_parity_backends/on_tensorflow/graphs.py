"""Graphs of TensorFlow 1: `tf_keras`' legacy cells in `compat.v1.nn`'s loops.

Batch is left open in every placeholder, as the notebook has it.
"""

from typing import Any, NamedTuple

import tensorflow as tf
from tf_keras.src.layers.rnn.legacy_cells import MultiRNNCell

from rnn_parity_backends import equations
from rnn_parity_backends.on_tensorflow import decoding
from rnn_parity_backends.on_tensorflow.gradients import seeded_loss, symbolic_gradients
from rnn_parity_backends.on_tensorflow.legacy import make_cell, to_canonical, to_native
from rnn_parity_backends.on_tensorflow.operations import OPS, Tensors
from rnn_parity_backends.on_tensorflow.training_v1 import Updates, updates
from rnn_parity_backends.with_keras import DECODED_FROM
from rnn_parity_core import CELLS, INTEGER_ARRAYS, Case

v1 = tf.compat.v1

_Finals = list[equations.State]


class Fed(NamedTuple):
    """What a session feeds."""

    inputs: list[Tensors]
    """One `[B, T, D]` (`[T, B, D]` if time-major), or `[B, D]` for each step."""
    initial: list[equations.State]
    """Initial states of each layer and direction."""
    others: dict[str, Tensors]
    """What else a problem's arrays are fed to, by their names."""
    forget_offset: float
    """What LSTMs add to their forget gates."""


class Graph(NamedTuple):
    """The symbolic ends of a graph; time-major ones are `[T, B, …]`."""

    fed: Fed
    variables: list[Tensors]
    """For one layer and direction after the other, in the order of the layout."""
    outcome: dict[str, Tensors]
    gradients: dict[str, Any]
    """Those by `inputs`, `initial` and `variables`, each in the structure it has here;
    empty if the task asks for none."""
    updates: Updates | None
    """What trains the variables, if the task is to."""


_Built = tuple[dict[str, Tensors], list[Tensors]]  # outcome, variables


def build(case: Case, forget_offset: float) -> Graph:
    """Build a case's graph in the default graph.

    Gradients and updates are part of it: once a session has run, `tf.gradients` fails
    on loops.

    Raises:
        Unsupported: There is no legacy cell for it.

    """
    # Weights are always given: their own initial values need not be drawn.
    v1.get_variable_scope().set_initializer(v1.zeros_initializer())
    fed = Fed(
        _inputs(case),
        [
            {
                name: v1.placeholder(case.dtype, [None, *case.shape(axis)])
                for name, axis in CELLS[case.cell].states.items()
            }
            for _ in case.passes
        ],
        _others(case),
        forget_offset,
    )
    if case.variant == "basic":
        outcome, variables = _basic(case, fed)
    elif case.variant == "variable_output":
        outcome, variables = _decoded(case, fed)
    else:
        built = {
            "static": _static,
            "static_single": _static_single,
            "dynamic": _dynamic,
            "variable_input": _dynamic,
        }[case.variant]
        outputs, finals, cells = built(case, fed)
        outcome = {"outputs": outputs, **equations.final_arrays(finals, tf.stack)}
        variables = [variable for cell in cells for variable in cell.variables]
    gradients, updated = {}, None
    if case.task != "forward":
        loss = seeded_loss(outcome, fed.others)
    if case.task == "gradient":
        by = {"inputs": fed.inputs, "initial": fed.initial, "variables": variables}
        gradients = symbolic_gradients(loss, by)
    if case.trains:
        updated = updates(case, loss, variables)
    return Graph(fed, variables, outcome, gradients, updated)


def _others(case: Case) -> dict[str, Tensors]:
    """Make placeholders of a problem's arrays that are no inputs, states or weights."""
    shapes: dict[str, list[int | None]] = {}
    if case.variant == "variable_input":
        shapes["lengths"] = [None]
    if case.variant == "variable_output":
        shapes |= {name: list(case.input_shapes()[name]) for name in DECODED_FROM}
    if case.task != "forward":
        for name, (first, _, *rest) in case.forward_shapes().items():
            shape = [first if name.startswith("final_") else None, None, *rest]
            shapes[f"cotangent_{name}"] = shape
    return {
        name: v1.placeholder(tf.int32 if name in INTEGER_ARRAYS else case.dtype, shape)
        for name, shape in shapes.items()
    }


def _inputs(case: Case) -> list[Tensors]:
    if case.variant == "variable_output":
        return []
    if case.variant in {"basic", "static"}:
        shapes = [[None, case.features]] * case.steps
    elif case.time_major:
        shapes = [[case.steps, None, case.features]]
    else:
        shapes = [[None, case.steps, case.features]]
    return [v1.placeholder(case.dtype, shape) for shape in shapes]


def _basic(case: Case, fed: Fed) -> _Built:
    """Write the equations out, on variables of the canonical layout."""
    shapes, names = case.weight_shapes(), CELLS[case.cell].weights
    variables = {
        (layer, way): {
            name: v1.Variable(tf.zeros(shapes[full], case.dtype))
            for name in names
            if (full := f"layer{layer}.{way}.{name}") in shapes
        }
        for layer, way in case.passes
    }

    def step_of(layer: int, way: str) -> equations.Step:
        read = {n: tf.identity(v) for n, v in variables[layer, way].items()}
        return equations.make_step(OPS, case.cell, read)

    initial = dict(zip(case.passes, fed.initial, strict=True))
    outputs, finals = equations.unroll(
        case,
        fed.inputs,
        step_of,
        lambda layer, way: initial[layer, way],
        OPS.concatenate,
    )
    in_order = [variable for of in variables.values() for variable in of.values()]
    stacked = equations.final_arrays(finals, tf.stack)
    return {"outputs": tf.stack(outputs, axis=1), **stacked}, in_order


def _decoded(case: Case, fed: Fed) -> _Built:
    """Call the layers' cells one by one in a loop of TensorFlow's."""
    cells = [make_cell(case, fed.forget_offset) for _ in range(case.layers)]
    for layer, cell in enumerate(cells):
        with v1.variable_scope(f"layer{layer}"):
            cell.build(tf.TensorShape([None, case.input_size(layer)]))

    def step_of(cell: Any) -> equations.Step:
        return lambda x, state: to_canonical(case, cell(x, to_native(state))[1])

    steps = [step_of(cell) for cell in cells]
    outcome = decoding.decoded(case, fed.others, steps, fed.initial)
    return outcome, [variable for cell in cells for variable in cell.variables]


def _stacked(case: Case, fed: Fed) -> tuple[Any, Tensors, list[Any]]:
    """Give one cell of all layers, its initial state, and the layers' own cells."""
    cells = [make_cell(case, fed.forget_offset) for _ in range(case.layers)]
    states = tuple(to_native(state) for state in fed.initial)
    if case.layers == 1:
        return cells[0], states[0], cells
    return MultiRNNCell(cells), states, cells


def _unstacked(case: Case, native: Tensors) -> _Finals:
    states = [native] if case.layers == 1 else native
    return [to_canonical(case, state) for state in states]


def _unrolled(
    case: Case, fed: Fed, inputs: list[Tensors]
) -> tuple[list[Tensors], _Finals, list[Any]]:
    """Unroll over a list of inputs by `static_rnn` or `static_bidirectional_rnn`."""
    if case.direction != "bidirectional":
        cell, initial, cells = _stacked(case, fed)
        turn = -1 if case.direction == "reverse" else 1
        outputs, final = v1.nn.static_rnn(cell, inputs[::turn], initial_state=initial)
        return outputs[::turn], _unstacked(case, final), cells
    finals: _Finals = []
    cells = []
    for layer in range(case.layers):
        pair = make_cell(case, fed.forget_offset), make_cell(case, fed.forget_offset)
        initial = [to_native(state) for state in fed.initial[2 * layer :][:2]]
        # Both cells of every layer would otherwise have the names of the first.
        with v1.variable_scope(f"layer{layer}"):
            inputs, *final = v1.nn.static_bidirectional_rnn(*pair, inputs, *initial)
        finals += [to_canonical(case, state) for state in final]
        cells += pair
    return inputs, finals, cells


def _static(case: Case, fed: Fed) -> tuple[Tensors, _Finals, list[Any]]:
    outputs, finals, cells = _unrolled(case, fed, fed.inputs)
    return tf.stack(outputs, axis=1), finals, cells


def _static_single(case: Case, fed: Fed) -> tuple[Tensors, _Finals, list[Any]]:
    inputs = tf.unstack(tf.transpose(fed.inputs[0], perm=[1, 0, 2]))
    outputs, finals, cells = _unrolled(case, fed, inputs)
    return tf.transpose(tf.stack(outputs), perm=[1, 0, 2]), finals, cells


def _dynamic(case: Case, fed: Fed) -> tuple[Tensors, _Finals, list[Any]]:
    """Loop by `dynamic_rnn` or `bidirectional_dynamic_rnn`, to each row's length."""
    x = fed.inputs[0]
    lengths = fed.others.get("lengths")
    options = {"time_major": case.time_major, "sequence_length": lengths}
    if case.direction != "bidirectional":
        cell, initial, cells = _stacked(case, fed)
        reverse = case.direction == "reverse"
        x = _reversed(case, fed, x) if reverse else x
        x, final = v1.nn.dynamic_rnn(cell, x, initial_state=initial, **options)
        x = _reversed(case, fed, x) if reverse else x
        return x, _unstacked(case, final), cells
    finals: _Finals = []
    cells = []
    for layer in range(case.layers):
        pair = make_cell(case, fed.forget_offset), make_cell(case, fed.forget_offset)
        forward, reverse = (to_native(s) for s in fed.initial[2 * layer :][:2])
        with v1.variable_scope(f"layer{layer}"):
            both, final = v1.nn.bidirectional_dynamic_rnn(
                *pair,
                x,
                initial_state_fw=forward,
                initial_state_bw=reverse,
                **options,
            )
        x = tf.concat(both, axis=-1)
        finals += [to_canonical(case, state) for state in final]
        cells += pair
    return x, finals, cells


def _reversed(case: Case, fed: Fed, x: Tensors) -> Tensors:
    """Turn time around, within each row's length."""
    time = 0 if case.time_major else 1
    if "lengths" not in fed.others:
        return tf.reverse(x, axis=[time])
    lengths = fed.others["lengths"]
    return tf.reverse_sequence(x, lengths, seq_axis=time, batch_axis=1 - time)
