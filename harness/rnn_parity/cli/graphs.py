"""The command that shows what was run: graph."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rnn_parity.cli.options import (
    Backends,
    Jobs,
    Memory,
    interruptible,
    split_backends,
)
from rnn_parity.cli.output import write_out
from rnn_parity_core.limits import TIMEOUT


def graph(
    case: Annotated[str, typer.Argument(metavar="CASE", help="A case's ID.")],
    backends: Backends = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The HTML page to write.")
    ] = Path("graph.html"),
    form: Annotated[
        Literal["html", "json"],
        typer.Option(
            "--format",
            metavar="FORM",
            help="html: a page; json: print the graphs instead.",
        ),
    ] = "html",
    jobs: Jobs = 0,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="What one backend's graph may take."),
    ] = TIMEOUT,
    memory: Memory = "",
) -> None:
    """Show what each backend runs for a case, as graphs.

    Exit status: 0 all that have a graph gave it, 2 wrong usage or nothing drawn, 3 a
    backend crashed or hung.
    """
    from rnn_parity.processes.guard import read_memory
    from rnn_parity.runs.engine import check_timeout, default_jobs
    from rnn_parity.runs.graphs import as_json, exit_status, graphs
    from rnn_parity.runs.registry import select_backends
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.graphs import show_graphs
    from rnn_parity_fixtures import catalogue

    if form == "html":
        from rnn_parity_reports.page import to_page  # igraph is an extra
    problem = catalogue.build(catalogue.case_from_id(case))
    infos = select_backends(split_backends(backends))
    check_timeout(timeout)
    most, jobs = read_memory(memory), jobs or default_jobs()
    with interruptible(), console(stderr=True).status("tracing", spinner="dots"):
        found = graphs(problem, infos, jobs=jobs, timeout=timeout, memory=most)
    if form == "json":
        write_out(as_json(case, found).encode(), None)
        raise typer.Exit(exit_status(found))
    drawn = [d for d in found if d.graph]
    if drawn:
        write_out(to_page(case, found).encode(), out)
    show_graphs(console(), found, str(out) if drawn else "")
    raise typer.Exit(exit_status(found))
