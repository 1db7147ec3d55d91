"""What explains an outcome that fails: the gate, the convention, the one weight.

Whatever goes wrong with one of these, the verdict stands: `attempts`.
"""

from functools import partial

from msgspec.structs import replace

from rnn_parity.judge.attempts import Attempts
from rnn_parity.judge.blame import gate_at_fault, one_weight
from rnn_parity.judge.certify import Certificate
from rnn_parity.judge.diagnose import explain
from rnn_parity.judge.in_stacks import explain_by_estimate
from rnn_parity_core import Accuracy, Outcome, Problem
from rnn_parity_core.layers import taken_apart
from rnn_parity_reports.results import FirstBad


def first_bad(certificate: Certificate, attempts: Attempts) -> FirstBad | None:
    """Return where the bound is first exceeded, with the gate at fault, if one is."""
    bad = certificate.first_bad
    if bad is None:
        return None
    own, alone = certificate, bad
    if bad.layer < len(certificate.below):
        own, alone = certificate.below[bad.layer], replace(bad, layer=0)
    blame = partial(gate_at_fault, own, alone)
    return replace(bad, gate=attempts.call("the gate at fault", blame, None))


def explanations(
    problem: Problem,
    outcome: Outcome,
    accuracy: Accuracy,
    certificate: Certificate,
    attempts: Attempts,
) -> list[str]:
    """Name known conventions; else the one weight that is off, if one is."""
    if certificate.below:
        return _in_layers(problem, outcome, accuracy, certificate, attempts)
    explained = partial(explain, problem, outcome, accuracy, attempts)
    named = attempts.call("conventions", explained, list[str]())
    if not named and problem.case.layers > 1:
        named = named_by_estimate(problem, outcome, accuracy, attempts)
    if named or "tokens" in outcome or problem.case.task != "forward":
        return named
    blame = partial(one_weight, problem, outcome, accuracy, certificate)
    one = attempts.call("the one weight", blame, "")
    return [one] if one else []


def _in_layers(
    problem: Problem,
    outcome: Outcome,
    accuracy: Accuracy,
    certificate: Certificate,
    attempts: Attempts,
) -> list[str]:
    """Explain the first layer that is wrong by itself; else one weight of any."""
    parts = zip(
        taken_apart(problem, outcome), (*certificate.below, certificate), strict=True
    )
    for layer, ((own, part), of) in enumerate(parts):
        if (of.ratio > 1).any():
            tried = partial(explain, own, part, accuracy, attempts)
            if named := attempts.call("conventions", tried, list[str]()):
                return [f"{name}, in layer {layer} alone" for name in named]
            break
    blame = partial(one_weight, problem, outcome, accuracy, certificate)
    one = attempts.call("the one weight", blame, "")
    return [one] if one else []


def named_by_estimate(
    problem: Problem, outcome: Outcome, accuracy: Accuracy, attempts: Attempts
) -> list[str]:
    """Return mistakes in one layer of a stack, or all, that the estimate confirms."""
    tried = partial(explain_by_estimate, problem, outcome, accuracy)
    return attempts.call("mistakes in one layer", tried, list[str]())
