"""The command that goes through suites of any size: sweep."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_parity.cli.options import (
    Memory,
    Strict,
    Timeout,
    ended_at_once,
    only_with_resume,
    split,
    split_backends,
    whole,
)
from rnn_parity.cli.output import Form, print_json
from rnn_parity_core.limits import TIMEOUT

if TYPE_CHECKING:
    from rnn_parity.sweep.sweeping import Whole

_WITH_RESUME = ("resume", "scheduler", "workers", "strict", "form")
"""Options that do not define a sweep."""


def sweep(
    context: typer.Context,
    suite: Annotated[
        str,
        typer.Argument(
            metavar="SUITE", help="Suites or case IDs, as in random:1000000:7."
        ),
    ] = "",
    backends: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="Backends; if none is named, all that are installed and need no "
            "request, or all that workers at --scheduler offer.",
        ),
    ] = None,
    scheduler: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="A Dask scheduler whose workers compute, as in tcp://10.0.0.1:8786.",
        ),
    ] = "",
    workers: Annotated[
        int,
        typer.Option(
            parser=whole(0),
            metavar="N",
            help="Dask workers here for each backend; 0: as many as there are "
            "processors for it.",
        ),
    ] = 0,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="New folder for the results.")
    ] = Path("parity-sweep"),
    timeout: Timeout = TIMEOUT,
    memory: Memory = "",
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Go on with a sweep that was cut short; its folder says what it is.",
        ),
    ] = None,
    form: Form = "table",
    *,
    strict: Strict = False,
) -> None:
    """Go through a suite of any size, on Dask workers.

    A worker says by Dask resources which backends it offers:
    dask worker ADDRESS --nthreads 1 --resources "torch=1". Results are kept as Parquet
    as they come, failures by their IDs, with the smallest case of each kind. Exit
    status: that of a run.
    """
    from rnn_parity.processes.guard import read_memory
    from rnn_parity.runs.engine import check_timeout
    from rnn_parity.terminal.common import console
    from rnn_parity_core import UsageError

    if scheduler and workers:
        raise UsageError("--workers are started here, and --scheduler has its own")
    if resume:
        only_with_resume(context, _WITH_RESUME)
    elif not suite:
        raise UsageError(
            "name a suite, as in: rnn-parity sweep random:1000000:7; or go on with a "
            "sweep that was cut short: --resume DIR"
        )
    check_timeout(timeout)
    most = read_memory(memory)

    from rnn_parity.sweep.messages import Limits
    from rnn_parity.sweep.sweeping import Where, begin
    from rnn_parity.sweep.sweeping import resume as go_on
    from rnn_parity.terminal.sweeps import SweepProgress, show_sweep

    where, progress = Where(scheduler, workers), SweepProgress(console(stderr=True))
    folder = resume or out
    with ended_at_once(folder, "sweep"), progress:
        if resume:
            done: Whole = go_on(resume, where=where, observer=progress)
        else:
            done = begin(
                *(
                    split(suite, "SUITE", "random:1000:7"),
                    split_backends(backends),
                    out,
                ),
                where=where,
                limits=Limits(timeout, most),
                observer=progress,
            )
    status = done.summary.exit_status(strict=strict)
    if form == "json":
        failing = [
            {"kind": each.kind, "cases": each.count, "smallest": each.smallest.id}
            for each in done.shrunk
        ]
        verdicts = {n: of.verdicts for n, of in done.summary.tallies.items()}
        print_json({"folder": str(folder), "verdicts": verdicts, "failing": failing})
    else:
        show_sweep(console(), done, str(folder))
    raise typer.Exit(status)
