"""What an adapter's author sees: the package that was written, and a proof."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnn_parity.adapter_tools.conformance import Proof
from rnn_parity.terminal.accuracy import show_accuracy
from rnn_parity.terminal.common import STYLES, show_facts
from rnn_parity.terminal.scores import show_relations
from rnn_parity_core import CELLS, VARIANTS, BackendInfo, clean
from rnn_parity_reports.describe import MARKS
from rnn_parity_reports.results import BAD, GOOD, Result

_MOST_TROUBLES = 10


def show_package(console: Console, written: list[Path], name: str) -> None:
    """Say what was written, and what to do with it."""
    folder = written[0].parent
    for path in written:
        console.print(Text(f"  {clean(str(path))}", "dim"), soft_wrap=True)
    console.print("\nIt works as it is, with a stand-in for the framework. Prove it:\n")
    console.print(f"  pip install --editable {clean(str(folder))}", soft_wrap=True)
    console.print(f"  rnn-parity conform {name}", soft_wrap=True)
    console.print(f"\nThen put {name}'s own calls into adapter.py and layout.py.")


def show_proof(console: Console, info: BackendInfo, proof: Proof, where: str) -> None:
    """Print the support matrix, what ran, what did not and why, and what is wrong."""
    console.print(_support(proof))
    console.print()
    show_relations(console, proof.relations, [info.name])
    console.print()
    show_accuracy(console, proof.accuracy)
    console.print()
    for words in proof.troubles[:_MOST_TROUBLES]:
        console.print(Text.assemble(("✗ ", "red"), clean(words)), soft_wrap=True)
    if len(proof.troubles) > _MOST_TROUBLES:
        console.print(
            f"… and {len(proof.troubles) - _MOST_TROUBLES} more in the report"
        )
    show_facts(console, [*_counted(proof), ("report", Text(clean(where), "bold"))])
    proven, summary = proof.exit_status == 0, proof.report.summary
    mark, style = STYLES["pass" if proven else "fail"]
    right = summary.passed + summary.consistent
    said = f"conforms in {right} of {summary.expected} cases"
    if not proven:
        said = f"does not conform: {right} of {summary.compared} cases that ran pass"
    console.print(Text(f"{mark} {clean(info.name)} {said}", f"bold {style}"))


def _support(proof: Proof) -> Table:
    """Show for each cell and variant how many cases pass, or why there are none."""
    cases = {case.id: case for case in proof.report.cases}
    found: dict[tuple[str, str], list[Result]] = {}
    for result in proof.report.results:
        case = cases[result.case]
        found.setdefault((case.cell, case.variant), []).append(result)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("cases", *VARIANTS):
        table.add_column(name)
    for cell in CELLS:
        said = [_passing(found.get((cell, variant), [])) for variant in VARIANTS]
        table.add_row(Text(cell, "bold"), *said)
    return table


def _passing(results: list[Result]) -> Text:
    passed = sum(result.verdict in GOOD for result in results)
    wrong = sum(result.verdict in {*BAD, "absent"} for result in results)
    unshown = sum(result.verdict == "inconclusive" for result in results)
    if wrong:
        return Text(f"✗ {wrong} of {passed + unshown + wrong}", "red")
    if passed or unshown:
        said = [f"{MARKS['pass']} {passed}"] if passed else []
        said += [f"{MARKS['inconclusive']} {unshown}"] if unshown else []
        return Text(", ".join(said), "green" if passed else "yellow")
    kinds = dict.fromkeys(result.detail.partition(":")[0] for result in results)
    return Text(clean(", ".join(kinds)) or "none", "yellow")


def _counted(proof: Proof) -> list[tuple[str, str]]:
    """Count what ran and what did not, with the reason of each."""
    summary = proof.report.summary
    rows = [("ran", f"{summary.compared} of {summary.expected} cases")]
    rows += [("passed", str(summary.passed + summary.consistent))]
    unshown = f"{summary.inconclusive}: the bounds are too wide to show anything"
    rows += [("not shown", unshown)] * bool(summary.inconclusive)
    rows += [("failed", str(summary.failed))] * bool(summary.failed)
    rows += [("error", str(summary.error))] * bool(summary.error)
    rows += [("did not run", f"{count}: {why}") for why, count in proof.gaps.items()]
    return rows
