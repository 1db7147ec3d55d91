"""What there is: backends, what each does for which cell and variant, suites."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnn_parity.terminal.common import count
from rnn_parity.terminal.rows import show_rows
from rnn_parity_core import CELLS, VARIANTS, BackendInfo, Case, Gap, Scalar, clean

_MOST_CASES = 8


def show_backends(
    console: Console, infos: Iterable[tuple[BackendInfo, str, bool]], *, verbose: bool
) -> None:
    """Print every backend: what is installed, or how to; if verbose, what it calls."""
    for info, state, present in infos:
        style = "green" if present else "yellow"
        console.print(
            Text.assemble((clean(info.name), "bold"), "  ", (clean(state), style)),
            soft_wrap=True,
        )
        if not verbose:
            continue
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
        for means in info.implementations:
            what = [", ".join(means.variants), *means.cells]
            table.add_row(Text(clean(" ".join(what)), "dim"), Text(clean(means.api)))
        for gap, scope in _gaps(info):
            table.add_row(Text(clean(scope), "yellow"), Text(clean(gap.why)))
        settings = ", ".join(f"+{k}={_setting(info.options[k])}" for k in info.settings)
        if settings:
            table.add_row(Text("settings", "dim"), Text(clean(settings)))
        console.print(table)


def _setting(value: Scalar) -> str:
    """Write a setting's value as it can be given."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _gaps(info: BackendInfo) -> Iterator[tuple[Gap, str]]:
    """Go through what a backend does not do, and say of which cases."""
    for gap in info.gaps:
        yield gap, f"gap: {_scope(gap) or 'everything'}"
    for gap in info.otherwise:
        yield gap, f"otherwise: {_scope(gap) or 'all else'}"


def _scope(gap: Gap) -> str:
    """Say which cases a gap covers; nothing: all."""
    parts = [*gap.cells, *gap.functions, *gap.variants, *gap.directions]
    parts += [*gap.dtypes, *gap.tasks]
    switches = {
        ("other activations", "its own activations"): gap.activations,
        ("with biases", "without biases"): gap.biases,
        ("timemajor", "batch-major"): gap.time_major,
        ("zerolength", "no zerolength"): gap.zero_length,
        ("probes", "no probes"): gap.probe,
        ("stacked", "one layer"): gap.stacked,
        ("P >= H", "P < H or none"): gap.full_projection,
    }
    for (on, off), switch in switches.items():
        parts += [] if switch is None else [on if switch else off]
    parts += gap.ids
    parts += ["of some weights or inputs"] * gap.depends_on_data
    return " ".join(parts)


def show_matrix(console: Console, infos: list[BackendInfo]) -> None:
    """Print for each cell and variant what each backend calls, and why it does not."""
    reasons: dict[str, list[str]] = {}
    rows = [
        (f"{cell} {variant}", [_means(of, cell, variant, reasons) for of in infos])
        for cell in CELLS
        for variant in VARIANTS
    ]
    show_rows(console, "cell, variant", [info.name for info in infos], rows)
    console.print()
    for reason, backends in reasons.items():
        kind, _, why = reason.partition(" ")
        words = clean(f"{', '.join(dict.fromkeys(backends))}: {why}")
        console.print(Text.assemble((f"{kind} ", "yellow"), words), soft_wrap=True)


def _means(
    info: BackendInfo, cell: str, variant: str, reasons: dict[str, list[str]]
) -> Text:
    """Say how a backend computes a cell in a variant, and keep why it does not."""
    means = info.implementation_for(cell, variant)
    for gap in info.gaps if means else info.otherwise:
        # A gap in other activations says nothing of a cell with its own.
        in_cell = not gap.activations and (not gap.cells or cell in gap.cells)
        if gap.functions:
            in_cell &= bool({*CELLS[cell].chosen.values()} & {*gap.functions})
        if in_cell and (not gap.variants or variant in gap.variants):
            scope = f" ({_scope(gap)})" if _scope(gap) else ""
            kept = f"{gap.kind} {gap.reason or gap.link}{scope}"
            reasons.setdefault(kept, []).append(info.name)
            if not (means and gap.is_partial):
                return Text(gap.kind, "yellow")
    if means is None:
        return Text("notyet", "yellow")
    return Text("by hand", "dim") if means.by_hand else Text("native", "green")


def show_cases(console: Console, suites: dict[str, list[Case]], *, whole: bool) -> None:
    """Print the cases of each suite with their sizes; of a long one the first few."""
    for name, cases in suites.items():
        console.print(Text.assemble((name, "bold"), f"  {count(cases, 'case')}"))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
        for case in cases if whole else cases[:_MOST_CASES]:
            sizes = f"B {case.batch}, T {case.steps}, D {case.features}, H {case.units}"
            table.add_row(case.id, Text(f"{sizes}, {case.dtype}", "dim"))
        console.print(table)
        if not whole and len(cases) > _MOST_CASES:
            console.print(f"  … all of them: rnn-parity cases {name}", highlight=False)
    if not whole:
        console.print(Text.assemble(("random:N:SEED", "bold"), "  N cases of any kind"))
        said = "  a suite's networks, on a batch that shows every weight"
        console.print(Text.assemble(("probe:SUITE", "bold"), said))
        cells = f"  all that is asked of one cell: {', '.join(CELLS)}"
        console.print(Text.assemble(("cell:NAME", "bold"), clean(cells)))
