"""Commands that list what there is, backends and cases, and download some."""

from typing import Annotated

import typer


def backends(
    *,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="What each does for each cell and variant.")
    ] = False,
) -> None:
    """List backends: what is installed, how to install the rest, what each calls."""
    from rnn_parity.runs.registry import absence, installed_versions, known_backends
    from rnn_parity.terminal.catalogue import show_backends, show_matrix
    from rnn_parity.terminal.common import console

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


def cases(
    suite: Annotated[
        str | None,
        typer.Argument(help="A suite, or probe:SUITE; all suites by default."),
    ] = None,
) -> None:
    """List suites and their cases."""
    from rnn_parity.terminal.catalogue import show_cases
    from rnn_parity.terminal.common import console
    from rnn_parity_core.spec import DTYPES
    from rnn_parity_fixtures.catalogue import select, suites

    if suite is None:
        show_cases(console(), suites(), whole=False)
        return
    show_cases(console(), {suite: select([suite], [], list(DTYPES))}, whole=True)


def download() -> None:
    """Download the trained networks that the suite `trained` runs: 26 MB in a cache."""
    from rnn_parity.models.trained import download as bring
    from rnn_parity.terminal.common import console

    bring(console().print)
    console().print(
        "All trained networks are here; run them by: rnn-parity run --cases trained"
    )
