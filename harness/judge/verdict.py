"""One outcome's verdict: compare, certify, explain, and say it in words."""

from functools import partial
from shlex import quote
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from harness.backend import Accuracy, BackendInfo
from harness.contract import contract_violations, nonfinite
from harness.errors import ParityError
from harness.judge.attempts import Attempts
from harness.judge.blame import element, gate_at_fault, one_weight, worst_drift
from harness.judge.certify import Certificate, certify
from harness.judge.compare import compare
from harness.judge.decode import well_formed
from harness.judge.diagnose import explain
from harness.judge.estimate import (
    Spreads,
    asks_estimate,
    estimate,
    estimate_in_layers,
)
from harness.judge.in_stacks import explain_by_estimate
from harness.judge.peers import peers
from harness.judge.shown import next_steps, partly_shown, settled, unshown
from harness.judge.steps import worst_of_each_step
from harness.layers import taken_apart
from harness.probing import by_itself
from harness.results import GOOD, Figures, FirstBad, Published, Result, Verdict
from harness.spec import Array, Case, Outcome, Problem
from harness.store.folder import RunFolder
from harness.store.record import Entry

PUBLISHED_ALLOWED = 1e-6
"""Printed tables carry 8 digits of what was itself float32; 6.6e-7 was the largest
deviation seen from any backend here."""


class Judged(NamedTuple):
    """A result, and the certificate it rests on if there was something to certify."""

    result: Result
    certificate: Certificate | None = None


def judge_entry(
    folder: RunFolder,
    problem: Problem,
    truth: Outcome,
    info: BackendInfo,
    entry: Entry,
    spreads: Spreads | None = None,
) -> Judged:
    """Judge one case on one backend, whatever came of it.

    Args:
        folder: The run's.
        problem: The problem.
        truth: Its outcome in float64.
        info: The backend.
        entry: What came of it there.
        spreads: Gives what right outcomes spread by, where no bound shows anything;
            None: nothing is estimated.

    """
    case = problem.case
    verdict, detail = _before_comparing(entry, info, case)
    fields: dict[str, Any] = {}
    certificate = None
    if not verdict:
        try:
            outcome = folder.outcome(info.name, case.id)
            accuracy = info.accuracy(case)
        except ParityError as error:
            verdict, detail = "error", str(error)
        else:
            shapes = entry.shapes(case)
            truth = {name: truth[name] for name in shapes}
            detail = "; ".join(contract_violations(outcome, shapes, case.dtype))
            if not detail and "tokens" in outcome:
                detail = "; ".join(well_formed(problem, outcome["tokens"]))
            if not detail:
                certificate = certify(problem, outcome, accuracy)
                fields, detail = _judge_numbers(
                    problem, truth, outcome, certificate, accuracy
                )
            verdict = "fail"
            detail += f"; {entry.detail}" if detail and entry.detail else ""
            if certificate and not detail:
                verdict, detail, more = _settled(
                    certificate, outcome, info, entry, spreads
                )
                fields |= more
    result = Result(
        case.id,
        info.name,
        verdict,
        detail=_placed(verdict, detail, info.name, case.id),
        reproduce=_reproduce(case.id, info),
        seconds=entry.seconds,
        **fields,
    )
    return Judged(result, certificate)


def _settled(
    certificate: Certificate,
    outcome: Outcome,
    info: BackendInfo,
    entry: Entry,
    spreads: Spreads | None,
) -> tuple[Verdict, str, dict[str, Any]]:
    """Give the verdict on what is within every bound, why, and a result's fields."""
    problem, shares = certificate.problem, unshown(certificate)
    case, accuracy = problem.case, info.accuracy(problem.case)
    fields: dict[str, Any] = {"weak": partly_shown(shares)}
    if spreads and asks_estimate(case, shares, info):
        if certificate.below:
            found = estimate_in_layers(problem, outcome, accuracy)
        else:
            spread = spreads(accuracy)
            found = spread and estimate(spread, outcome)
        fields["estimate"] = found
    verdict, detail = settled(shares, fields.get("estimate"))
    if verdict == "inconclusive":
        fields["next_steps"] = next_steps(case, entry.arrays)
    elif verdict == "fail":
        attempts = Attempts()
        named = _named_by_estimate(problem, outcome, accuracy, attempts)
        words = [f"it would match with: {' or: '.join(named)}"] if named else []
        fields["explanations"] = named
        detail = "; ".join([detail, *words, *attempts.words])
    # How a stack was taken apart; of one layer there is nothing to say.
    how = entry.detail if case.layers > 1 else ""
    return verdict, detail or how, fields


def _named_by_estimate(
    problem: Problem, outcome: Outcome, accuracy: Accuracy, attempts: Attempts
) -> list[str]:
    tried = partial(explain_by_estimate, problem, outcome, accuracy)
    return attempts.call("mistakes in one layer", tried, list[str]())


def _placed(verdict: Verdict, detail: str, backend: str, case: str) -> str:
    """Say of what does not pass where it is."""
    return f"{detail} [{backend}, {case}]" if detail and verdict not in GOOD else detail


def _reproduce(case: str, info: BackendInfo) -> str:
    command = f"rnn-parity run --cases {case} --backends {quote(info.name)}"
    for option, value in (("host", info.host), ("python", info.interpreter)):
        if value:
            command += f" --{option} {quote(f'{info.name}={value}')}"
    return command


def _before_comparing(
    entry: Entry, info: BackendInfo, case: Case
) -> tuple[Verdict | None, str]:
    """Give the verdict that needs no outcome; None if there is one to compare."""
    if entry.status == "unsupported":
        if gap := info.may_decline(case):
            return "gap", f"{gap.kind}: {gap.reason or entry.detail}"
        return "fail", f"undeclared gap: {entry.detail}; declare it as a Gap"
    if entry.status != "done":
        return entry.status, entry.detail
    if gap := info.gap(case):
        said = f"declared {gap.kind} ({gap.reason})"
        return "fail", f"stale gap: {said}, yet it computes; remove the Gap"
    return None, ""


def _judge_numbers(
    problem: Problem,
    truth: Outcome,
    outcome: Outcome,
    certificate: Certificate,
    accuracy: Accuracy,
) -> tuple[dict[str, Any], str]:
    """Give a result's figures, and what is wrong with them in words, if anything."""
    headroom, published = certificate.headroom, _published(problem, outcome)
    attempts = Attempts()
    fields: dict[str, Any] = {
        "headroom": headroom if np.isfinite(headroom) else None,
        "figures": _figures(problem, truth, outcome, certificate),
        "published": published,
        "peers": peers(problem, truth, outcome),
        "first_bad": _first_bad(certificate, attempts),
        "steps": worst_of_each_step(certificate) if certificate.has_outputs else None,
        "systematic": _systematic(certificate),
    }
    if headroom > 1:
        broken = nonfinite(outcome)
        if broken and nonfinite(truth):
            return fields, (
                "the network itself outgrows float64, so that nothing can be shown: "
                f"{'; '.join(nonfinite(truth))} in the reference; choose a smaller "
                "gain or fewer steps, layers or units"
            )
        if not broken:
            fields["explanations"] = _explanations(
                problem, outcome, accuracy, certificate, attempts
            )
        words = broken or _excess(certificate, fields.get("explanations", []))
        words += _first(certificate, fields["first_bad"])
        return fields, "; ".join([*words, *attempts.words])
    if certificate.choices and certificate.choices.differs:
        return fields, "; ".join(certificate.choices.differs)
    if published and (
        published.max_abs is None or published.max_abs > published.allowed
    ):
        return fields, (
            f"outputs: {published.max_abs} from the published tables, "
            f"allowed {published.allowed:.0e}, although within the bound"
        )
    return fields, ""


def _first_bad(certificate: Certificate, attempts: Attempts) -> FirstBad | None:
    bad = certificate.first_bad
    if bad is None:
        return None
    own, alone = certificate, bad
    if bad.layer < len(certificate.below):
        own, alone = certificate.below[bad.layer], replace(bad, layer=0)
    blame = partial(gate_at_fault, own, alone)
    return replace(bad, gate=attempts.call("the gate at fault", blame, None))


def _systematic(certificate: Certificate) -> float | None:
    ratios = [float(drift.ratio.max()) for drift in certificate.systematic.values()]
    return max(ratios) if ratios and np.isfinite(ratios).all() else None


def _explanations(
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
        named = _named_by_estimate(problem, outcome, accuracy, attempts)
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


def _excess(certificate: Certificate, explanations: list[str]) -> list[str]:
    """Say what exceeds its bound: how many, the worst, what would explain it."""
    ratio, name = certificate.ratio, "outputs"
    for layer, own in enumerate(certificate.below):
        if (own.ratio > 1).any():
            certificate = own
            ratio, name = own.ratio, f"layer{layer}.outputs"
            break
    if (ratio > 1).any():
        row, t, unit = (int(i) for i in np.unravel_index(ratio.argmax(), ratio.shape))
        excess = (
            f"{name}: {int((ratio > 1).sum())} of {ratio.size} elements outside the "
            f"bound; worst {ratio.max():.3g}x at (row {row}, step {t}, unit {unit}): "
            f"allowed {certificate.bound[row, t, unit]:.2g}, "
            f"got {abs(certificate.residual[row, t, unit]):.2g}"
        )
    elif parts := _apart_from_steps(certificate):
        excess = f"{parts}; {_right(certificate)}"
    else:
        name, final = max(
            certificate.final_ratios.items(), key=lambda item: float(item[1].max())
        )
        excess = (
            f"final_{name}: {int((final > 1).sum())} of {final.size} elements outside "
            f"the bound; worst {final.max():.3g}x"
        )
        excess += ", outputs are right" if certificate.has_outputs else ""
    words = [excess]
    if explanations:
        words.append(f"it would match with: {' or: '.join(explanations)}")
    return words


def _right(certificate: Certificate) -> str:
    """Say what is right where every step is."""
    finals = " and final states" if certificate.final_ratios else ""
    return f"outputs{finals} are right"


def _apart_from_steps(certificate: Certificate) -> str:
    """Say what exceeds what is allowed where every step is right."""
    if not certificate.steps_pass:
        return ""
    words = []
    if worst := worst_drift(certificate):
        name, drift, at = worst
        words.append(
            "no step shows it, but the errors of all add up: worst "
            f"{drift.ratio[at]:.3g}x, as if "
            f"{element(certificate.problem.case, name, at)} were off by "
            f"{drift.estimate[at]:.1e}"
        )
    if certificate.choices and (ratio := certificate.choices.ratio).max() > 1:
        row, t = (int(i) for i in np.unravel_index(ratio.argmax(), ratio.shape))
        words.append(
            f"tokens: {int((ratio > 1).sum())} of {ratio.size} are not the best choice "
            f"nor tied with it; worst {ratio.max():.3g}x at (row {row}, step {t})"
        )
    for name, (ratio, _) in certificate.learned.items():
        if (ratio > 1).any():
            words.append(
                f"{name}: {int((ratio > 1).sum())} of {ratio.size} elements outside "
                f"the bound; worst {ratio.max():.3g}x{_first_update(name, ratio)}"
            )
    return "; ".join(words)


def _first_update(name: str, ratio: Array) -> str:
    """Say after which update a trained weight is wrong first."""
    if not name.startswith("trained_"):
        return ""
    wrong = (ratio > 1).reshape(len(ratio), -1).any(axis=1)
    return f", first after update {int(wrong.argmax()) + 1}"


def _first(certificate: Certificate, bad: FirstBad | None) -> list[str]:
    if bad is None:
        return []
    layer = f" of layer {bad.layer}" if certificate.problem.case.layers > 1 else ""
    way = f", {bad.direction}" if bad.direction else ""
    gate = f", gate {bad.gate}" if bad.gate else ""
    said = [f"the first bad step is {bad.step}{layer}{way}{gate}"]
    if certificate.problem.case.probe:
        said.append(_standing_out(certificate.problem, bad.row))
    return said


def _standing_out(problem: Problem, row: int) -> str:
    """Say what a probe looks at in a row."""
    (name, at), *more = by_itself(problem.case, row)
    value = float(problem[name][at])
    others = f", and {len(more)} more with it" if more else ""
    return f"in row {row} {name}{list(at)} is {value:g} by itself{others}"


def _figures(
    problem: Problem, truth: Outcome, outcome: Outcome, certificate: Certificate
) -> dict[str, Figures]:
    """Deviations from the float64 trajectory; mismatched: what the bound rejects."""
    rejected = {"outputs": certificate.ratio}
    rejected |= {f"final_{n}": r for n, r in certificate.final_ratios.items()}
    for layer, own in enumerate(certificate.below):
        rejected[f"layer{layer}.outputs"] = own.ratio
    figures = {}
    for name, want in truth.items():
        plain = compare(outcome[name], want, dtype=problem.case.dtype)
        if name in rejected:
            plain = replace(plain, mismatched=int((rejected[name] > 1).sum()))
        figures[name] = plain
    return figures


def _published(problem: Problem, outcome: Outcome) -> Published | None:
    tables = problem.published.get("outputs")
    if tables is None:
        return None
    plain = compare(outcome["outputs"], tables, dtype=problem.case.dtype)
    worst = None if plain.nonfinite else plain.max_abs
    return Published(worst, PUBLISHED_ALLOWED, tables=tables.shape[1])
