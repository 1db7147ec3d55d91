"""The command line: run, compare, report, backends, cases, audit, relations, measure.

Only what `--help` needs is imported at the top; commands import the rest.
"""

import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.errors import ParityError, UsageError, clean

if TYPE_CHECKING:
    from harness.results import Report

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Same weights, same batch, every framework: the same recurrent network, "
    "or a report that says which one differs.",
)


_Cases = Annotated[str, typer.Option(metavar="A,B,…", help="Suites or case IDs.")]
_Jobs = Annotated[
    int, typer.Option(min=0, help="Workers at a time; 0: one a processor.")
]
_NONE_NAMED = "if none is named, all that are installed and need no request."

_INTERRUPTED = 130  # what shells expect after Ctrl-C


@app.command()
def run(
    cases: _Cases = "notebook",
    backends: Annotated[
        str,
        typer.Option(
            metavar="A,B,…",
            help=f"Backends, with settings as in torch+threads=1; {_NONE_NAMED}",
        ),
    ] = "",
    variants: Annotated[
        str, typer.Option(metavar="A,B,…", help="Keep only these variants.")
    ] = "",
    dtypes: Annotated[
        str,
        typer.Option(metavar="A,B,…", help="float32 or float64; a suite has its own."),
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(
        "parity-report"
    ),
    jobs: _Jobs = 0,
    timeout: Annotated[
        float, typer.Option(help="Seconds for one case on one backend.")
    ] = 300.0,
) -> None:
    """Run cases on backends, judge what they return, and write the report.

    Exit status: 0 all pass, 1 a difference, 2 wrong usage or nothing compared, 3 a
    backend crashed or hung.
    """
    from fixtures import catalogue
    from harness.run.engine import check_timeout, default_jobs
    from harness.run.registry import select_backends
    from harness.screen.common import RunProgress, console
    from harness.session import compute, judge_and_write

    selected = catalogue.select(
        _split(cases, "--cases", "notebook"), _split(variants), _split(dtypes)
    )
    infos = select_backends(_split(backends))
    check_timeout(timeout)
    jobs = jobs or default_jobs()
    try:
        with RunProgress(console(stderr=True), len(selected) * len(infos)) as progress:
            folder = compute(
                selected,
                infos,
                out,
                jobs=jobs,
                timeout=timeout,
                notify=progress.entry,
            )
        document = judge_and_write(folder, jobs)
    except KeyboardInterrupt:
        sys.stderr.write(f"rnn-parity: interrupted; outcomes so far are in {out}\n")
        raise typer.Exit(_INTERRUPTED) from None
    _finish(document, out)


@app.command()
def compare(
    folder: Annotated[Path, typer.Argument(help="Folder of a saved run.")],
    jobs: Annotated[
        int, typer.Option(min=0, help="Processes at a time; 0: one a processor.")
    ] = 0,
) -> None:
    """Judge saved outcomes again; needs no framework."""
    from harness.folder import RunFolder
    from harness.run.engine import default_jobs
    from harness.session import judge_and_write

    report = judge_and_write(RunFolder(folder), jobs or default_jobs())
    _finish(report, folder)


@app.command()
def report(
    path: Annotated[Path, typer.Argument(help="A report.json, or its folder.")],
    form: Annotated[
        Literal["table", "markdown", "csv", "json"],
        typer.Option("--format", help="What to print."),
    ] = "table",
) -> None:
    """Print a report again, in another form."""
    from harness.results import encode, read_report_document
    from harness.screen.common import console
    from harness.screen.report import show_report
    from reports.markdown import to_markdown
    from reports.write import to_csv

    document = read_report_document(path)
    if form == "table":
        show_report(console(), document, str(path))
    else:
        views = {"markdown": to_markdown, "csv": to_csv}
        text = views[form](document) if form in views else encode(document).decode()
        sys.stdout.write(text)


@app.command()
def backends(
    *,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="What each does for each cell and variant.")
    ] = False,
) -> None:
    """List backends: what is installed, how to install the rest, what each calls."""
    from harness.run.registry import absence, installed_versions, known_backends
    from harness.screen.catalogue import show_backends, show_matrix
    from harness.screen.common import console

    if matrix:
        show_matrix(console(), list(known_backends().values()))
        return
    rows = []
    for info in known_backends().values():
        reason = absence(info)
        found = " ".join(f"{k} {v}" for k, v in installed_versions(info).items())
        said = f"; only if named: {info.on_request}" if info.on_request else ""
        rows.append((info, f"{reason or found}{said}", reason is None))
    show_backends(console(), rows)


@app.command()
def cases(
    suite: Annotated[str, typer.Argument(help="A suite; all of them by default.")] = "",
) -> None:
    """List suites and their cases."""
    from fixtures.catalogue import suites
    from harness.errors import unknown_name
    from harness.screen.catalogue import show_cases
    from harness.screen.common import console

    known = suites()
    if suite and suite not in known:
        raise unknown_name("suite", suite, known)
    chosen = {suite: known[suite]} if suite else known
    show_cases(console(), chosen, whole=bool(suite))


@app.command()
def audit(
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
        int, typer.Option(min=1, help="Cases of a suite that each fault is tried in.")
    ] = 4,
    jobs: _Jobs = 0,
    *,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown.")
    ] = False,
) -> None:
    """Plant every known fault, and count who kills it: the kill score.

    Beside it, what fixed tolerances kill on the same outcomes, and what each check
    calls broken that is not. Exit status: 0 if every fault that applies is killed in
    some case of some suite and no healthy case is called broken, else 1. A suite of
    weak data may let faults live that another one kills: its own score says how many.
    """
    from fixtures import catalogue
    from harness.audit import audit as plant_all
    from harness.audit import by_kind, by_suite, remarks, survivors
    from harness.run.engine import default_jobs
    from harness.run.registry import select_backends
    from harness.screen.common import console
    from harness.screen.scores import show_audit

    names = _split(cases, "--cases", "standard")
    suites = {name: catalogue.select([name], [], []) for name in names}
    infos = select_backends(_split(backends, "--backends", "torch,numpy"))
    with console(stderr=True).status("planting faults", spinner="dots"):
        trials = plant_all(infos, suites, each=each, jobs=jobs or default_jobs())
    tables = [by_kind(trials)] + [by_suite(trials)] * (len(suites) > 1)
    alive, notes = survivors(trials), list(remarks(infos, suites, trials))
    show_audit(console(), tables, alive, notes, markdown=markdown)
    raise typer.Exit(1 if alive else 0)


@app.command()
def relations(
    cases: _Cases = "standard",
    backends: Annotated[
        str,
        typer.Option(metavar="A,B,…", help=f"Backends; {_NONE_NAMED}"),
    ] = "",
    each: Annotated[
        int, typer.Option(min=1, help="Cases that each relation is tried in.")
    ] = 3,
    jobs: _Jobs = 0,
) -> None:
    """Hold every backend to itself: checks that need no second framework.

    Exit status: 0 all relations hold, 1 one is violated, 2 wrong usage or nothing
    checked, 3 a backend crashed or hung.
    """
    from fixtures import catalogue
    from harness.relations_run import exit_status, relate
    from harness.run.engine import default_jobs
    from harness.run.registry import absence, select_backends
    from harness.screen.common import console
    from harness.screen.scores import show_relations

    selected = catalogue.select(_split(cases, "--cases", "standard"), [], [])
    infos = [info for info in select_backends(_split(backends)) if not absence(info)]
    with console(stderr=True).status("asking again, otherwise", spinner="dots"):
        trials = relate(infos, selected, each=each, jobs=jobs or default_jobs())
    show_relations(console(), trials, [info.name for info in infos])
    raise typer.Exit(exit_status(trials))


@app.command()
def measure(
    backends: Annotated[
        str,
        typer.Option(metavar="A,B,…", help=f"Backends; {_NONE_NAMED}"),
    ] = "",
    dtypes: Annotated[
        str, typer.Option(metavar="A,B,…", help="Dtypes; all by default.")
    ] = "",
    samples: Annotated[
        int,
        typer.Option(
            min=1, help="Arguments of each function; in half precisions all there are."
        ),
    ] = 1_000_000,
) -> None:
    """Measure how far tanh and the logistic function are off, beside what is stated.

    Verdicts rest on what a backend states; here it is measured on this machine, through
    the backend's own adapter. Exit status: 0 if all is kept, 1 if a statement is
    exceeded or over ten times too generous, 2 wrong usage or nothing measured, 3 a
    backend crashed or hung.
    """
    from harness.measure import check_dtypes, exit_status, measure_backends, problems
    from harness.run.registry import select_backends
    from harness.screen.accuracy import show_accuracy
    from harness.screen.common import RunProgress, console

    chosen, infos = check_dtypes(_split(dtypes)), select_backends(_split(backends))
    total = problems(infos, chosen, samples)
    with RunProgress(console(stderr=True), total) as progress:
        rows = measure_backends(infos, chosen, samples, notify=progress.entry)
    show_accuracy(console(), rows)
    raise typer.Exit(exit_status(rows))


def _split(names: str, option: str = "", example: str = "") -> list[str]:
    found = [name.strip() for name in names.split(",") if name.strip()]
    if option and not found:
        raise UsageError(f"{option} names nothing; for example: {option} {example}")
    return found


def _finish(document: "Report", out: Path) -> None:
    from harness.screen.common import console
    from harness.screen.report import show_report

    files = f"{out / 'report.json'} (also report.md, results.csv)"
    show_report(console(), document, files)
    raise typer.Exit(document.exit_status)


def _check_import_names() -> None:
    """Our import names are common words: say so if another distribution took one."""
    home = Path(__file__).parents[1]
    for name in ("backends", "fixtures", "reports"):
        found = PathFinder.find_spec(name)
        locations = list(found.submodule_search_locations or []) if found else []
        if str(home / name) not in locations:
            other = (found.origin or locations) if found else "nothing"
            raise UsageError(
                f"the import name {name!r} of rnn-parity leads to {other}, expected "
                f"{home / name}; uninstall {_distributions(name)} or use another "
                "environment"
            )


def _distributions(name: str) -> str:
    from importlib.metadata import packages_distributions

    others = set(packages_distributions().get(name, [])) - {"rnn-parity"}
    return " or ".join(sorted(others)) or "what is there"


def main() -> None:
    """Run the command line; mistakes end in one line and exit status 2."""
    try:
        _check_import_names()
        app()
    except ParityError as error:
        line = clean(" ".join(str(error).split()))
        sys.stderr.write(f"rnn-parity: {line}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
