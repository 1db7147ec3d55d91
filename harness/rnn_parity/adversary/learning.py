"""What a legal implementation returns of a problem whose task is to learn."""

from dataclasses import replace
from typing import Any

import numpy as np
from msgspec.structs import replace as changed

from rnn_parity.adversary.adjoint import ImplementationAdjoint
from rnn_parity.adversary.choices import Choices
from rnn_parity.adversary.formats import Format
from rnn_parity.judge.tape import Tape
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import (
    ADAM_BETAS,
    ADAM_EPSILON,
    CELLS,
    LEARNING_RATE,
    Accuracy,
    Array,
    Problem,
)


def gradients(
    problem: Problem, accuracy: Accuracy, choices: Choices
) -> dict[str, Array]:
    """Return the forward pass and gradients, in the case's dtype."""
    form, case = Format(problem.case.dtype), problem.case
    ops = ImplementationAdjoint(accuracy, choices)
    tape = Tape(ops)
    with np.errstate(all="ignore"):
        made: Any = trajectory(tape, problem)
        seeds = [(made.outputs, problem["cotangent_outputs"])]
        outcome = {"outputs": form.narrow(made.outputs.value.value)}
        for state, nodes in made.finals.items():
            finals = [node.value.final for node in nodes]
            outcome[f"final_{state}"] = form.narrow(np.stack(finals))
            seeds += list(zip(nodes, problem[f"cotangent_final_{state}"], strict=True))
        ops.begin()
        found = tape.backward(seeds)
    returned = {name: form.narrow(of.value) for name, of in found.items()}
    for state in CELLS[case.cell].states:
        parts = [returned.pop(f"initial_{state}.{k}") for k in range(len(case.passes))]
        returned[f"initial_{state}"] = np.stack(parts)
    wanted = {"inputs", *case.weight_shapes(), *(f"initial_{s}" for s in made.finals)}
    return {**outcome, **{f"gradient_{name}": returned[name] for name in wanted}}


def training(
    problem: Problem, accuracy: Accuracy, choices: Choices
) -> dict[str, Array]:
    """Return the forward pass, and all weights after each update."""
    case = changed(problem.case, task="gradient")
    names = list(case.weight_shapes())
    rules = {name: Rule(problem.case.task, case.dtype, choices) for name in names}
    arrays = {n: a for n, a in problem.arrays.items() if n != "later_inputs"}
    after: dict[str, list[Array]] = {name: [] for name in names}
    outcome: dict[str, Array] = {}
    for inputs in [problem["inputs"], *problem["later_inputs"]]:
        now = replace(problem, case=case, arrays={**arrays, "inputs": inputs})
        found = gradients(now, accuracy, choices)
        if not outcome:
            outcome = {n: a for n, a in found.items() if not n.startswith("gradient")}
        for name in names:
            moved = rules[name].moved(arrays[name], found[f"gradient_{name}"])
            arrays = {**arrays, name: moved}
            after[name].append(moved)
    return {**outcome, **{f"trained_{n}": np.stack(of) for n, of in after.items()}}


class Rule:
    """How one weight is updated.

    Args:
        task: `sgd` or `adam`.
        dtype: Of the weight.
        choices: What is chosen.

    """

    def __init__(self, task: str, dtype: str, choices: Choices) -> None:
        self._form, self._choices = Format(dtype), choices
        self._is_adam, self._made = task == "adam", 0
        self._mean: Array = np.zeros(())
        self._square: Array = np.zeros(())
        self._powers: list[Any] = [1.0, 1.0]

    def _kept(self, value: Any, what: str) -> Any:
        """Round a value, or go on with it as it is."""
        if self._choices.pick("update", what, (False, False, True)):
            return value
        return self._form.rounded(np.asarray(value, self._form.wide))

    def moved(self, weight: Array, gradient: Array) -> Array:
        """Return the weight after an update."""
        w, g = (np.asarray(of).astype(self._form.wide) for of in (weight, gradient))
        rate = self._kept(LEARNING_RATE, "rate")
        step = self._by_adam(g, rate) if self._is_adam else rate * g
        return self._form.narrow(w - self._kept(step, "step"))

    def _by_adam(self, g: Array, rate: Any) -> Array:
        self._made += 1
        (b1, left1), (b2, left2) = (self._beta(k) for k in range(2))
        if self._choices.pick("update", "moment moved", (False, True)):
            apart = self._kept(g - self._mean, "apart")
            mean = self._mean + self._kept(left1 * apart, "by so much")
        else:
            kept = self._kept(b1 * self._mean, "mean kept")
            mean = kept + self._kept(left1 * g, "mean more")
        self._mean = self._form.rounded(mean)
        first = self._kept(left2 * g, "once") * g
        if self._choices.pick("update", "square first", (False, True)):
            first = left2 * self._kept(g * g, "square")
        kept = self._kept(b2 * self._square, "square kept")
        self._square = self._form.rounded(kept + self._kept(first, "square more"))
        grown1, grown2 = (self._grown(k, b) for k, b in enumerate((b1, b2)))
        small = self._kept(ADAM_EPSILON, "epsilon")
        if self._choices.pick("update", "roots apart", (False, True)):
            root = self._kept(np.sqrt(self._square), "root")
            below = self._kept(
                root / self._kept(np.sqrt(grown2), "other"), "root grown"
            )
        else:
            grown = self._kept(self._square / grown2, "square grown")
            below = self._kept(np.sqrt(grown), "root of grown")
        below = self._kept(below + small, "below")
        if self._choices.pick("update", "rate first", (False, True)):
            rate = self._kept(rate / grown1, "rate grown")
            return np.asarray(rate * self._kept(self._mean / below, "quotient"))
        mean = self._kept(self._mean / grown1, "mean grown")
        return np.asarray(rate * self._kept(mean / below, "quotient"))

    def _beta(self, k: int) -> tuple[Any, Any]:
        """Return a decay, and 1 less it, in the dtype or exactly."""
        if self._choices.pick("update", f"beta {k} exact", (False, True)):
            exact = self._form.wide(ADAM_BETAS[k])
            return self._form.rounded(exact), self._form.rounded(1 - exact)
        rounded = self._form.rounded(np.asarray(ADAM_BETAS[k]))
        return rounded, self._form.rounded(1 - rounded)

    def _grown(self, k: int, beta: Any) -> Any:
        """Return `1 - beta^t`, by powers in the dtype or exactly."""
        way = self._choices.pick("update", f"power {k}", ("exact", "rounded", "times"))
        if way == "exact":
            return self._form.wide(1 - ADAM_BETAS[k] ** self._made)
        if way == "rounded":
            power = self._form.rounded(beta**self._made)
        else:
            power = self._form.rounded(self._powers[k] * beta)
            self._powers[k] = power
        return self._form.rounded(1 - power)
