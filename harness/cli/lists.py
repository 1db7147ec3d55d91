"""Commands that list what there is: backends, cases."""

from typing import Annotated

import typer


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


def cases(
    suite: Annotated[
        str | None,
        typer.Argument(help="A suite, or probe:SUITE; all suites by default."),
    ] = None,
) -> None:
    """List suites and their cases."""
    from fixtures.catalogue import select, suites
    from harness.screen.catalogue import show_cases
    from harness.screen.common import console
    from harness.spec import DTYPES

    if suite is None:
        show_cases(console(), suites(), whole=False)
        return
    show_cases(console(), {suite: select([suite], [], list(DTYPES))}, whole=True)
