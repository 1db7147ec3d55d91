"""One outcome's verdict: compare, certify, explain, and say it in words."""

from shlex import quote
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from rnn_parity.judge.attempts import Attempts
from rnn_parity.judge.causes import explanations, first_bad, named_by_estimate
from rnn_parity.judge.certify import Certificate, certify
from rnn_parity.judge.compare import compare
from rnn_parity.judge.decode import well_formed
from rnn_parity.judge.estimate import (
    Spreads,
    asks_estimate,
    estimate,
    estimate_in_layers,
)
from rnn_parity.judge.excess import excess, first
from rnn_parity.judge.fixed_tolerances import within_fixed_tolerances
from rnn_parity.judge.shown import next_steps, partly_shown, settled, unshown
from rnn_parity.judge.steps import worst_of_each_step
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry
from rnn_parity_core import (
    Accuracy,
    BackendInfo,
    Case,
    Gap,
    Outcome,
    ParityError,
    Problem,
)
from rnn_parity_core.validate import contract_violations, nonfinite
from rnn_parity_reports.results import GOOD, Figures, Published, Result, Verdict

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
    """Judge one case on one backend, whatever came of it and was declared of it.

    Args:
        folder: The run's.
        problem: The problem.
        truth: Its outcome in float64.
        info: The backend.
        entry: What came of it there.
        spreads: Gives what right outcomes spread by, where no bound shows anything;
            None: nothing is estimated.

    """
    judged = _by_itself(folder, problem, truth, info, entry, spreads)
    if gap := info.known_wrong(problem.case):
        return _as_declared(judged, gap, entry)
    return judged


def _as_declared(judged: Judged, gap: Gap, entry: Entry) -> Judged:
    """Give the verdict on what a backend is declared to compute wrongly.

    It has no figures, and is compared with nobody, as what is wrong is known.
    """
    was, verdict = judged.result, judged.result.verdict
    if entry.has_crashed or (entry.status == "done" and verdict == "fail"):
        verdict, detail = "gap", f"{gap.why}: {was.detail}"
    elif verdict in GOOD and not gap.depends_on_data:
        said = f"declared wrong ({gap.reason or gap.link})"
        stale = f"stale gap: {said}, yet it is right; remove the Gap"
        verdict, detail = "fail", _placed("fail", stale, was.backend, was.case)
    else:
        return judged
    bare = Result(
        was.case,
        was.backend,
        verdict,
        detail=detail,
        reproduce=was.reproduce,
        seconds=was.seconds,
    )
    return Judged(bare)


def _by_itself(
    folder: RunFolder,
    problem: Problem,
    truth: Outcome,
    info: BackendInfo,
    entry: Entry,
    spreads: Spreads | None,
) -> Judged:
    """Judge one case on one backend as if nothing of it were known to be wrong."""
    case = problem.case
    verdict, detail = _before_comparing(entry, info, case)
    fields: dict[str, Any] = {}
    certificate = None
    if not verdict:
        try:
            outcome = folder.outcome(info.name, case.id)
            accuracy = info.accuracy_for(case)
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
    case, accuracy = problem.case, info.accuracy_for(problem.case)
    fields: dict[str, Any] = {"not_shown": partly_shown(shares)}
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
        named = named_by_estimate(problem, outcome, accuracy, attempts)
        words = [f"matches if: {' or: '.join(named)}"] if named else []
        fields["explanations"] = named
        detail = "; ".join([detail, *words, *attempts.words])
    # How a stack was taken apart; of one layer there is nothing to say.
    how = entry.detail if case.layers > 1 else ""
    return verdict, detail or how, fields


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
    if (gap := info.gap(case)) and gap.kind != "wrong":
        said = f"declared {gap.kind} ({gap.reason})"
        return "fail", f"stale gap: {said}, yet it computes; {_mend(info, case)}"
    return None, ""


def _mend(info: BackendInfo, case: Case) -> str:
    """Say how to declare that a case is computed after all."""
    if info.implementation_for(case.cell, case.variant):
        return "remove the Gap"
    return f"name {case.cell} and {case.variant} in an Implementation"


def _judge_numbers(
    problem: Problem,
    truth: Outcome,
    outcome: Outcome,
    certificate: Certificate,
    accuracy: Accuracy,
) -> tuple[dict[str, Any], str]:
    """Give a result's figures, and what is wrong with them in words, if anything."""
    bound_ratio, published = certificate.bound_ratio, _published(problem, outcome)
    attempts = Attempts()
    fields: dict[str, Any] = {
        "bound_ratio": bound_ratio if np.isfinite(bound_ratio) else None,
        "figures": _figures(problem, truth, outcome, certificate),
        "published": published,
        "fixed_tolerances": within_fixed_tolerances(problem, truth, outcome),
        "first_bad": first_bad(certificate, attempts),
        "steps": worst_of_each_step(certificate) if certificate.has_outputs else None,
        "systematic": _systematic(certificate),
    }
    if bound_ratio > 1:
        broken = nonfinite(outcome)
        if broken and nonfinite(truth):
            return fields, (
                "the network itself outgrows float64, so that nothing can be shown: "
                f"{'; '.join(nonfinite(truth))} in the reference; choose a smaller "
                "gain or fewer steps, layers or units"
            )
        if not broken:
            fields["explanations"] = explanations(
                problem, outcome, accuracy, certificate, attempts
            )
        words = broken or excess(certificate, fields.get("explanations", []))
        words += first(certificate, fields["first_bad"])
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


def _systematic(certificate: Certificate) -> float | None:
    ratios = [float(drift.ratio.max()) for drift in certificate.systematic.values()]
    return max(ratios) if ratios and np.isfinite(ratios).all() else None


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
