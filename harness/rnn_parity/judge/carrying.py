"""Steps taken at once from where a backend was, and what it did not show carried along.

What follows from x and the observed h alone is computed for all steps at once; so is
what a step returns, when the states that nobody observed are known. Only what becomes
of these is gone through step by step.
"""

from collections.abc import Callable
from typing import Any, Generic

import numpy as np

from rnn_parity.judge.equations import Equations, State, Weights
from rnn_parity.judge.traced import Replay, Trace, Traced, empty
from rnn_parity_core import Array, ParityError
from rnn_parity_core.errors import clean
from rnn_parity_core.operations import Operations, Value


class Carrying(Generic[Value]):
    """One pass over time, piece by piece.

    Args:
        ops: The arithmetic.
        equations: Terms in place of the published ones.
        cell: The cell.
        weights: Of one layer and direction.
        start: The states at the beginning.

    """

    def __init__(
        self,
        ops: Operations[Value],
        equations: Equations,
        cell: str,
        weights: Weights,
        start: State[Value],
    ) -> None:
        self._ops, self._weights, self._cell = ops, weights, cell
        self._step, self._store = equations.step(cell), equations.store_state
        self._start = start
        self.states = {name: value for name, value in start.items() if name != "h"}
        """What was not observed, after the steps so far."""
        self._from = dict(self.states)  # where the next step starts
        self._trace: Trace | None = None

    def piece(
        self, x: Value, h: Value | None, shown: Array, valid: Array
    ) -> tuple[State[Value], Value]:
        """Take some steps at once.

        Args:
            x: What they read, `[B, T, I]`.
            h: What the backend returned before each, `[B, T, R]`; None if that is no
                state.
            shown: What it returned after each.
            valid: Which of them count, `[B, T]`.

        Returns:
            The states before each step, and what each returns.

        """
        trace = self._traced(x)
        leaves = {"x": x, **self._weights}
        seen = {} if h is None else {"h": h}
        leaves |= seen
        early = Replay(trace, self._ops, self._numbered(leaves))
        before, after = self._carried(trace, early, shown, valid)
        known = self._numbered(before)
        known |= {trace.made[name].number: value for name, value in after.items()}
        hidden = frozenset(self.states)
        late = Replay(
            trace,
            self._ops,
            {**self._numbered(leaves), **known},
            lambda of: None if of.leaves & hidden else early.value(of),
        )
        return {**seen, **before}, self._stored(late.value(trace.made["h"]))

    def _traced(self, x: Any) -> Trace:
        """Write down the step, once for all pieces."""
        if self._trace is None:
            given = {"x": x, **self._start}
            leaves = {name: empty((0, *_shape(of)[1:])) for name, of in given.items()}
            leaves["x"] = empty((0, _shape(x)[-1]))
            leaves |= {n: empty(_shape(of)) for n, of in self._weights.items()}
            try:
                self._trace = Trace(self._step, leaves, tuple(self._start))
            except Exception as error:
                told = clean(str(error))
                message = f"the step of {self._cell} cannot be written down: {told}"
                raise ParityError(message) from error
        return self._trace

    def _numbered(self, leaves: dict[str, Any]) -> dict[int, Any]:
        assert self._trace is not None  # noqa: S101 - made before anything is asked
        return {self._trace.leaf[name].number: of for name, of in leaves.items()}

    def _carried(
        self, trace: Trace, early: Replay, shown: Array, valid: Array
    ) -> tuple[State[Value], State[Value]]:
        """Go through what was not observed: before and after each step.

        Where what a backend returned tells it more exactly than the steps before do,
        that is what the next step starts from.
        """
        if not self.states:
            return {}, {}
        ops = self._ops
        taken_from = self._recurrence(trace, early)
        told = self._told(trace, early, shown)
        shows = self._shows(trace, early, shown) if not told else {}
        before: dict[str, list[Any]] = {name: [] for name in self.states}
        after: dict[str, list[Any]] = {name: [] for name in self.states}
        for s in range(shown.shape[1]):
            taken = taken_from(s, self._from)
            exact: State[Value] = {}
            if shows:
                exact = {n: ops.constant(_value(of)) for n, of in self._from.items()}
            for name, value in taken.items():
                before[name].append(self._from[name])
                after[name].append(value)
                kept = value
                if not valid[:, s].all():
                    mask = over(valid[:, s], value)
                    kept = ops.where(mask, value, self.states[name])
                self.states[name] = kept
                start = ops.detach(kept)
                if name in told:
                    start = ops.tighten(ops.take(told[name], (slice(None), s)), start)
                if name in shows:
                    own = ops.take(shows[name], (slice(None), s))
                    again = taken_from(s, exact)[name]
                    start = ops.tighten(ops.recomputed(own, again), start)
                self._from[name] = start
        return (
            {name: ops.stack(values) for name, values in before.items()},
            {name: ops.stack(values) for name, values in after.items()},
        )

    def _recurrence(
        self, trace: Trace, early: Replay
    ) -> Callable[[int, State[Value]], State[Value]]:
        """Give what takes the states a step further."""
        ops, hidden = self._ops, frozenset(self.states)
        linear = {
            name: ops.recurrence(early.value(f), early.value(a))
            for name in self.states
            if (found := _linear(trace, name, hidden))
            for f, a in [found]
        }

        def taken(step: int, state: State[Value]) -> State[Value]:
            def now(of: Traced) -> Any:
                if of.leaves & hidden or not of.leaves & {"x", "h"}:
                    return None
                return ops.take(early.value(of), (slice(None), step))

            replay = Replay(
                trace,
                ops,
                {**self._numbered(state), **self._numbered({**self._weights})},
                now,
            )
            return {
                name: self._stored(
                    linear[name](step, state[name])
                    if name in linear
                    else replay.value(trace.made[name])
                )
                for name in state
            }

        return taken

    def _told(self, trace: Trace, early: Replay, shown: Array) -> State[Value]:
        """Give the hidden states that what was returned tells, as far as it does."""
        found = _told_by_output(trace, frozenset(self.states))
        if found is None:
            return {}
        name, (o, f, i, g) = found
        o, f, i, g = (early.value(of) for of in (o, f, i, g))
        told = self._ops.infer_c(o, shown, f, i, g)
        return {} if told is None else {name: told}

    def _shows(self, trace: Trace, early: Replay, shown: Array) -> State[Value]:
        """Give the hidden states that h is `o tanh` of, whatever they are made of."""
        gated = trace.called(trace.made["h"], "mul")
        if not gated or gated[0].leaves & frozenset(self.states):
            return {}
        squashed = trace.called(gated[1], "tanh")
        if trace.called(gated[0], "sigmoid") is None or not squashed:
            return {}
        names = [n for n in self.states if trace.made[n] is squashed[0]]
        told = self._ops.told_by(early.value(gated[0]), shown) if names else None
        return {} if told is None else dict.fromkeys(names, told)

    def _stored(self, value: Value) -> Value:
        return value if self._store is None else self._store(self._ops, value)


def _value(of: Any) -> Array:
    return np.asarray(getattr(of, "value", of))


def _shape(of: Any) -> tuple[int, ...]:
    """Give the shape of a value in any arithmetic."""
    shape: tuple[int, ...] = of.shape if hasattr(of, "shape") else of.value.shape
    return shape


def over(valid: Array, value: Any) -> Array:
    """Give a mask of rows all axes of a value."""
    return valid.reshape(-1, *(1 for _ in _shape(value)[1:]))


def _linear(
    trace: Trace, name: str, hidden: frozenset[str]
) -> tuple[Traced, Traced] | None:
    """Give f and a where a state becomes `f state + a`, of what hides nothing."""
    added = trace.called(trace.made[name], "add")
    scaled = trace.called(added[0], "mul") if added else None
    if not (added and scaled):
        return None
    (f, state), a = scaled, added[1]
    if state is not trace.leaf[name] or (f.leaves | a.leaves) & hidden:
        return None
    if not all(of.leaves & {"x", "h"} for of in (f, a)):
        return None  # of weights alone: no step has its own
    return f, a


def _told_by_output(
    trace: Trace, hidden: frozenset[str]
) -> tuple[str, tuple[Any, Any, Any, Any]] | None:
    """Give a state and o, f, i, g where `h = o tanh(state)`, `state = f state + i g`.

    The gates must be logistic functions and the candidate a tanh, whose errors are
    stated.
    """
    for name in hidden:
        gated = trace.called(trace.made["h"], "mul")
        linear = _linear(trace, name, hidden)
        if not (gated and linear):
            continue
        o, squashed = gated
        f, added = linear
        product = trace.called(added, "mul")
        if trace.called(squashed, "tanh") != (trace.made[name],) or not product:
            continue
        i, g = product
        gates = all(trace.called(of, "sigmoid") for of in (o, f, i))
        if gates and trace.called(g, "tanh") and not o.leaves & hidden:
            return name, (o, f, i, g)
    return None
