"""The cells' definitions, written out number by number: what the judge is held to."""

import math
from collections.abc import Callable

import numpy as np

from rnn_parity_core import CELLS, Array, Problem

Weights = dict[str, Array]
States = tuple[Array, ...]
Step = Callable[[Weights, Array, States], States]


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def total(w: Weights, x: Array, h: Array, column: int) -> float:
    """Sum into one column of the gates, number by number; biases may be absent."""
    terms = [
        float(v) * float(k) for v, k in zip(x, w["kernel"][:, column], strict=True)
    ]
    recurrent = w["recurrent_kernel"][:, column]
    terms += [float(v) * float(k) for v, k in zip(h, recurrent, strict=True)]
    return math.fsum(terms) + (float(w["bias"][column]) if "bias" in w else 0.0)


def rnn_tanh(w: Weights, x: Array, states: States) -> States:
    (h,) = states
    return (np.array([math.tanh(total(w, x, h, k)) for k in range(len(h))]),)


def rnn_relu(w: Weights, x: Array, states: States) -> States:
    (h,) = states
    return (np.array([max(total(w, x, h, k), 0.0) for k in range(len(h))]),)


def lstm(w: Weights, x: Array, states: States) -> States:
    """Gates in the order i, f, g, o."""
    h, c = states
    n = len(c)
    new_c, new_h = np.empty(n), np.empty(n)
    for k in range(n):
        i = sigma(total(w, x, h, k))
        f = sigma(total(w, x, h, n + k))
        g = math.tanh(total(w, x, h, 2 * n + k))
        o = sigma(total(w, x, h, 3 * n + k))
        new_c[k] = f * c[k] + i * g
        new_h[k] = o * math.tanh(new_c[k])
    return new_h, new_c


def lstm_peephole(w: Weights, x: Array, states: States) -> States:
    """As above; i and f see the old c, o sees the new one."""
    h, c = states
    n, peephole = len(c), w["peephole"].astype(float)
    new_c, new_h = np.empty(n), np.empty(n)
    for k in range(n):
        i = sigma(total(w, x, h, k) + peephole[0, k] * c[k])
        f = sigma(total(w, x, h, n + k) + peephole[1, k] * c[k])
        new_c[k] = f * c[k] + i * math.tanh(total(w, x, h, 2 * n + k))
        o = sigma(total(w, x, h, 3 * n + k) + peephole[2, k] * new_c[k])
        new_h[k] = o * math.tanh(new_c[k])
    return new_h, new_c


def lstm_projection(w: Weights, x: Array, states: States) -> States:
    """As `lstm`, and h is what a matrix makes of it."""
    whole, c = lstm(w, x, states)
    return whole @ w["projection"].astype(float), c


def gru(w: Weights, x: Array, states: States) -> States:
    """Gates in the order r, z, n; r multiplies the product with h, and its bias."""
    (h,) = states
    n = len(h)
    new = np.empty(n)
    for k in range(n):
        r, z = sigma(total(w, x, h, k)), sigma(total(w, x, h, n + k))
        from_x = total(w, x, 0 * h, 2 * n + k)
        from_h = sum(
            h[j] * float(w["recurrent_kernel"][j, 2 * n + k]) for j in range(n)
        )
        if "recurrent_bias" in w:
            from_h += float(w["recurrent_bias"][k])
        new[k] = z * h[k] + (1 - z) * math.tanh(from_x + r * from_h)
    return (new,)


def gru_reset_before(w: Weights, x: Array, states: States) -> States:
    """Gates in the order r, z, n; r multiplies h before the product."""
    (h,) = states
    n = len(h)
    r = np.array([sigma(total(w, x, h, k)) for k in range(n)])
    new = np.empty(n)
    for k in range(n):
        z = sigma(total(w, x, h, n + k))
        new[k] = z * h[k] + (1 - z) * math.tanh(total(w, x, r * h, 2 * n + k))
    return (new,)


def of_x(w: Weights, x: Array, column: int) -> float:
    """Sum what x gives into one column of the gates."""
    terms = [
        float(v) * float(k) for v, k in zip(x, w["kernel"][:, column], strict=True)
    ]
    return math.fsum(terms) + (float(w["bias"][column]) if "bias" in w else 0.0)


def mgu(w: Weights, x: Array, states: States) -> States:
    """Gates in the order f, n; f multiplies the product with h, and its bias."""
    (h,) = states
    n = len(h)
    new = np.empty(n)
    for k in range(n):
        f = sigma(total(w, x, h, k))
        from_h = sum(h[j] * float(w["recurrent_kernel"][j, n + k]) for j in range(n))
        if "recurrent_bias" in w:
            from_h += float(w["recurrent_bias"][k])
        new[k] = f * h[k] + (1 - f) * math.tanh(of_x(w, x, n + k) + f * from_h)
    return (new,)


def ind_rnn(w: Weights, x: Array, states: States) -> States:
    """Each unit sees itself alone."""
    (h,) = states
    own = w["recurrent"].astype(float)
    return (np.array([max(of_x(w, x, k) + own[k] * h[k], 0) for k in range(len(h))]),)


def min_gru(w: Weights, x: Array, states: States) -> States:
    """Gates in the order z, n, of x alone."""
    (h,) = states
    n = len(h)
    z = [sigma(of_x(w, x, k)) for k in range(n)]
    return (np.array([(1 - z[k]) * h[k] + z[k] * of_x(w, x, n + k) for k in range(n)]),)


def min_lstm(w: Weights, x: Array, states: States) -> States:
    """Gates in the order i, f, n, of x alone; i and f are shares of their sum."""
    (h,) = states
    n = len(h)
    new = np.empty(n)
    for k in range(n):
        i, f = sigma(of_x(w, x, k)), sigma(of_x(w, x, n + k))
        new[k] = (f * h[k] + i * of_x(w, x, 2 * n + k)) / (i + f)
    return (new,)


STEPS: dict[str, Step] = {
    "rnn_tanh": rnn_tanh,
    "rnn_relu": rnn_relu,
    "lstm": lstm,
    "lstm_peephole": lstm_peephole,
    "lstm_projection": lstm_projection,
    "gru": gru,
    "gru_reset_before": gru_reset_before,
    "mgu": mgu,
    "ind_rnn": ind_rnn,
    "min_gru": min_gru,
    "min_lstm": min_lstm,
}


def run_row(step: Step, w: Weights, x: Array, states: States) -> tuple[Array, States]:
    """Go once over the steps of one row, `[T, I]`, all of them valid."""
    outputs = np.zeros((len(x), len(states[0])))
    for t, now in enumerate(x):
        states = step(w, now, states)
        outputs[t] = states[0]
    return outputs, states


def network(problem: Problem) -> dict[str, Array]:
    """Compute a problem row by row: each is cut to its length, and turned around."""
    case = problem.case
    names = tuple(CELLS[case.cell].states)
    finals = {f"final_{n}": np.zeros(problem[f"initial_{n}"].shape) for n in names}
    lengths = problem.arrays.get("lengths", [case.steps] * case.batch)
    outputs = np.zeros((case.batch, case.steps, case.output_size))
    for row, length in enumerate(lengths):
        x = problem["inputs"][row, :length].astype(float)
        number = 0
        for layer in range(case.layers):
            halves = []
            for way in case.directions:
                turned = x if way == "forward" else x[::-1]
                start = tuple(
                    problem[f"initial_{n}"][number, row].astype(float) for n in names
                )
                weights = problem.weights(layer, way)
                made, last = run_row(STEPS[case.cell], weights, turned, start)
                halves.append(made if way == "forward" else made[::-1])
                for name, state in zip(names, last, strict=True):
                    finals[f"final_{name}"][number, row] = state
                number += 1
            x = np.concatenate(halves, axis=1)
        outputs[row, :length] = x
    return {"outputs": outputs, **finals}
