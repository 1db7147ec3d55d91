"""A stack on a backend, and each of its layers by itself on what the layer below gave.

Where both give the same bits, what each layer gave is what the whole stack computed
inside: so it can be judged layer by layer, with no bound that grows on the way up.
"""

from collections.abc import Callable

import numpy as np

from rnn_parity_core import Array, Case, Outcome, Problem
from rnn_parity_core.layers import lower_outputs, one_layer

SAME = "the whole stack gives the bits that its layers give one by one"

Run = Callable[[Problem], Outcome | str]
"""A problem → its outcome, or why there is none."""


def can_be_taken_apart(case: Case) -> bool:
    """Whether it is a user's stack whose final states do not show its layers."""
    alone = case.task == "forward" and case.variant != "variable_output"
    return bool(case.given) and case.layers > 1 and case.steps > 1 and alone


def with_layers(
    run: Run, problem: Problem, outcome: Outcome
) -> tuple[dict[str, Array], str]:
    """Give an outcome, with its lower layers' outputs if these are certain; and words.

    Args:
        run: Runs one layer.
        problem: The problem of the whole stack.
        outcome: What the backend returned of it.

    """
    reads, found, finals = problem["inputs"], dict[str, Array](), list[Outcome]()
    for layer, name in enumerate([*lower_outputs(problem.case), "outputs"]):
        made = run(one_layer(problem, layer, reads))
        if isinstance(made, str):
            return {**outcome}, f"layer {layer} by itself: {made}"
        reads = found[name] = made["outputs"]
        finals.append(made)
    for name in outcome.keys() - {"outputs"}:
        found[name] = np.concatenate([made[name] for made in finals])
    if any(outcome[name].tobytes() != found[name].tobytes() for name in outcome):
        with np.errstate(all="ignore"):
            apart = max(float(np.abs(outcome[n] - found[n]).max()) for n in outcome)
        return {**outcome}, (
            "the whole stack differs from its layers one by one by up to "
            f"{apart:.1e}, so that it is judged as a whole"
        )
    return found, SAME
