"""Commands that list what there is, backends and cases, and download some."""

from typing import Annotated

import typer

from rnn_parity.cli.output import Form, print_json


def backends(
    form: Form = "table",
    *,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="What each does for each cell and variant.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="What each calls, and its gaps.")
    ] = False,
) -> None:
    """List backends: what is installed, what each calls."""
    from rnn_parity.runs.registry import absence, installed_versions, known_backends
    from rnn_parity.terminal.catalogue import show_backends, show_matrix
    from rnn_parity.terminal.common import console

    known = known_backends().values()
    if form == "json":
        print_json(
            [
                {"info": of, "absent": absence(of), "versions": installed_versions(of)}
                for of in known
            ]
        )
        return
    if matrix:
        show_matrix(console(), list(known))
        return
    rows = []
    for info in known:
        reason = absence(info)
        found = " ".join(f"{k} {v}" for k, v in installed_versions(info).items())
        said = f"; only if named: {info.on_request}" if info.on_request else ""
        rows.append((info, f"{reason or found}{said}", reason is None))
    show_backends(console(), rows, verbose=verbose)
    if not verbose:
        console().print(
            "What each calls, and its gaps: rnn-parity backends -v", style="dim"
        )


def cases(
    suite: Annotated[
        str | None,
        typer.Argument(
            metavar="SUITE", help="A suite, probe:SUITE or cell:NAME; all by default."
        ),
    ] = None,
    form: Form = "table",
) -> None:
    """List suites and their cases."""
    from rnn_parity.terminal.catalogue import show_cases
    from rnn_parity.terminal.common import console
    from rnn_parity_core import DTYPES
    from rnn_parity_fixtures.catalogue import select, suites

    whole = suite is not None
    found = (
        {suite: select([suite], [], list(DTYPES))} if suite is not None else suites()
    )
    if form == "json":
        print_json({n: {case.id: case for case in of} for n, of in found.items()})
    else:
        show_cases(console(), found, whole=whole)


def download() -> None:
    """Download the networks of the suite `trained`: 26 MB."""
    from rnn_parity.models.trained import download as bring
    from rnn_parity.terminal.common import console

    bring(console().print)
    console().print(
        "All trained networks are here; run them by: rnn-parity run --cases trained"
    )
