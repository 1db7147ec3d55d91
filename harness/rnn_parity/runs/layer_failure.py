"""Why a layer in a test does not pass, in words."""

from rnn_parity_core import BackendInfo, Case, clean
from rnn_parity_reports.describe import in_full, one_line, table, verdict_of
from rnn_parity_reports.results import GOOD, Report, Result


def failure(info: BackendInfo, case: Case, result: Result, report: Report) -> str:
    """Say why an assertion fails; nothing if it holds.

    Args:
        info: The layer, as if it were a backend.
        case: The case.
        result: What came of the layer.
        report: That, and what came of the reference.

    """
    others = report.results[1:]
    if result.verdict not in GOOD:
        lines = [one_line(result), *in_full(result), *table(result)]
    elif broken := [other for other in others if other.verdict not in GOOD]:
        lines = [f"{info.name} passes, the reference does not: {one_line(broken[0])}"]
        lines += in_full(broken[0])
    else:
        return ""
    lines.append(_held_to(info, case))
    lines += [_beside(other, report) for other in others]
    return "\n".join(lines)


def _beside(other: Result, report: Report) -> str:
    """Say what came of a reference, and how far the layer is from it."""
    said = f"{other.backend}: {verdict_of(other)} on the same problem"
    for pair in report.pairs:
        if pair.outputs.max_abs is not None:
            said += f"; outputs differ by {pair.outputs.max_abs:.3g} at most"
        if pair.bound_ratio is not None:
            said += f", single steps by {pair.bound_ratio:.3g}x what may be"
    return clean(said)


def _held_to(info: BackendInfo, case: Case) -> str:
    said = []
    for function, error in info.accuracy_for(case).functions.items():
        said += [f"{function} {error.ulp:g} ulp"]
        said += [f"{fewer:g} where |x| <= {limit:g}" for limit, fewer in error.near]
    return f"held to: {', '.join(said) or 'no elementwise function'}"
