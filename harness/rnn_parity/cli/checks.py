"""Commands that check checks and backends: mutation-test, metamorphic, measure."""

from typing import Annotated, Literal

import typer

from rnn_parity.cli.options import (
    Backends,
    Cases,
    Jobs,
    interruptible,
    split,
    split_backends,
    whole,
)
from rnn_parity.cli.output import Form, print_json


def mutation_test(
    cases: Annotated[
        str,
        typer.Option(
            metavar="A,B,…", help="Suites or case IDs; several get a score each."
        ),
    ] = "standard",
    backends: Annotated[
        str,
        typer.Option(
            metavar="A,B,…",
            help="Backends; each fault is planted in the first that has a case for it.",
        ),
    ] = "torch,numpy",
    each: Annotated[
        int,
        typer.Option(
            parser=whole(1),
            metavar="N",
            help="Cases of a suite that each fault is tried in.",
        ),
    ] = 4,
    jobs: Jobs = 0,
    form: Annotated[
        Literal["table", "markdown", "json"],
        typer.Option("--format", metavar="FORM", help="table, markdown or json."),
    ] = "table",
) -> None:
    """Plant every known fault, and count which are found.

    That is the mutation score.

    Beside it, what fixed tolerances kill on the same outcomes, and what each check
    calls broken that is not. Exit status: 0 if every fault that applies is killed in
    some case of some suite and no healthy case is called broken, else 1. A suite whose
    data does not show a fault may let it live: its own score says how many.
    """
    from rnn_parity.checks.mutation import by_kind, by_suite, remarks, survivors
    from rnn_parity.checks.mutation import mutation_test as plant_all
    from rnn_parity.runs.engine import default_jobs
    from rnn_parity.runs.registry import select_backends
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.scores import show_mutation_scores
    from rnn_parity_core.exit_status import Exit
    from rnn_parity_fixtures import catalogue

    names = split(cases, "--cases", "standard")
    suites = {name: catalogue.select([name], [], []) for name in names}
    infos = select_backends(split_backends(backends))
    with (
        interruptible(),
        console(stderr=True).status("planting faults", spinner="dots"),
    ):
        trials = plant_all(infos, suites, each=each, jobs=jobs or default_jobs())
    tables = [by_kind(trials)] + [by_suite(trials)] * (len(suites) > 1)
    alive, notes = survivors(trials), list(remarks(infos, suites, trials))
    if form == "json":
        print_json({"alive": alive, "notes": notes, "trials": trials})
    else:
        show_mutation_scores(
            console(), tables, alive, notes, markdown=form == "markdown"
        )
    raise typer.Exit(Exit.DIFFERS if alive else Exit.FINE)


def metamorphic(
    cases: Cases = "standard",
    backends: Backends = None,
    each: Annotated[
        int,
        typer.Option(
            parser=whole(1), metavar="N", help="Cases that each relation is tried in."
        ),
    ] = 3,
    jobs: Jobs = 0,
    form: Form = "table",
) -> None:
    """Check each backend against itself.

    Metamorphic relations need no second framework.

    Exit status: 0 all relations hold, 1 one is violated, 2 wrong usage or nothing
    checked, 3 a backend crashed or hung.
    """
    from rnn_parity.checks.metamorphic import exit_status, relate
    from rnn_parity.runs.engine import default_jobs
    from rnn_parity.runs.registry import absence, select_backends
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.scores import show_relations
    from rnn_parity_fixtures import catalogue

    selected = catalogue.select(split(cases, "--cases", "standard"), [], [])
    infos = [
        info for info in select_backends(split_backends(backends)) if not absence(info)
    ]
    with (
        interruptible(),
        console(stderr=True).status("asking again, otherwise", spinner="dots"),
    ):
        trials = relate(infos, selected, each=each, jobs=jobs or default_jobs())
    if form == "json":
        print_json(
            [trial._asdict() | {"reproduce": trial.reproduce} for trial in trials]
        )
    else:
        show_relations(console(), trials, [info.name for info in infos])
    raise typer.Exit(exit_status(trials))


def measure(
    backends: Backends = None,
    dtypes: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Dtypes; all by default.")
    ] = None,
    samples: Annotated[
        int,
        typer.Option(
            parser=whole(1),
            metavar="N",
            help="Arguments of each function; in half precisions all there are.",
        ),
    ] = 1_000_000,
    form: Form = "table",
) -> None:
    """Measure how far tanh and sigmoid are off here.

    Verdicts rest on what a backend states; here it is measured on this machine, through
    the backend's own adapter. Exit status: 0 if all is kept, 1 if a statement is
    exceeded or over ten times too generous, 2 wrong usage or nothing measured, 3 a
    backend crashed or hung.
    """
    from rnn_parity.adapter_tools.measure import (
        check_dtypes,
        exit_status,
        measure_backends,
        problems,
    )
    from rnn_parity.runs.registry import select_backends
    from rnn_parity.terminal.accuracy import show_accuracy
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.progress import RunProgress

    chosen = check_dtypes(split(dtypes, "--dtypes", "float32"))
    infos = select_backends(split_backends(backends))
    totals = problems(infos, chosen, samples)
    with interruptible(), RunProgress(console(stderr=True), totals) as progress:
        rows = measure_backends(infos, chosen, samples, observer=progress)
    if form == "json":
        print_json(rows)
    else:
        show_accuracy(console(), rows)
    raise typer.Exit(exit_status(rows))
