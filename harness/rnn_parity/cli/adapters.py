"""Commands for authors of adapters and cells: new-backend, conform, new-cell, …."""

from pathlib import Path
from typing import Annotated

import typer

from rnn_parity.cli.options import Cases, Folder, interruptible, split, whole
from rnn_parity.cli.output import Form, print_json


def new_backend(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The backend's name: acme.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where its folder is made.")
    ] = Path(),
) -> None:
    """Write the package of a new backend, with its tests."""
    from rnn_parity.adapter_tools.new_backend import write_package
    from rnn_parity.runs.registry import known_backends
    from rnn_parity.terminal.adapters import show_package
    from rnn_parity.terminal.common import console

    written = write_package(name, out, set(known_backends()))
    show_package(console(), written, name)


def conform(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The backend, installed.")
    ],
    cases: Cases = "standard",
    out: Folder = Path("parity-conformance"),
    form: Form = "table",
) -> None:
    """Prove a backend: all cases, relations, accuracies.

    Exit status: 0 proven, 1 a difference, a violated relation or accuracy, 2 wrong
    usage or nothing compared, 3 the backend crashed or hung.
    """
    from rnn_parity.adapter_tools.conformance import prove
    from rnn_parity.runs.registry import select_backends
    from rnn_parity.terminal.adapters import show_proof
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.progress import RunProgress
    from rnn_parity_fixtures import catalogue

    selected = catalogue.select(split(cases, "--cases", "standard"), [], [])
    (info,) = select_backends([name])
    progress = RunProgress(console(stderr=True), {info.name: len(selected)})
    with interruptible(out), progress:
        proof = prove(info, selected, out, progress)
    if form == "json":
        relations, accuracy = proof.relations, proof.accuracy
        checked = {"relations": relations, "accuracy": accuracy}
        print_json({**checked, "report": proof.report})
    else:
        show_proof(console(), info, proof, str(out / "report.html"))
    raise typer.Exit(proof.exit_status)


def new_cell(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The cell's name: my_cell.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where its folder is made.")
    ] = Path(),
) -> None:
    """Write the package of a new cell, with two layers, adapters and tests."""
    from rnn_parity.adapter_tools.new_cell import write_cell_package
    from rnn_parity.runs.registry import known_backends
    from rnn_parity.terminal.cells import show_cell_package
    from rnn_parity.terminal.common import console
    from rnn_parity_core import CELLS

    written = write_cell_package(name, out, set(CELLS), set(known_backends()))
    show_cell_package(console(), written, name)


def conform_cell(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The cell, installed.")],
    networks: Annotated[
        int,
        typer.Option(
            parser=whole(1), metavar="N", help="Networks that bounds are tried on."
        ),
    ] = 300,
    form: Form = "table",
) -> None:
    """Prove a cell: both its forms, bounds, gradients, weights, known mistakes.

    Exit status: 0 proven, 1 something is wrong, 2 wrong usage.
    """
    from rnn_parity.adapter_tools.cell_proof import prove_cell
    from rnn_parity.terminal.cells import show_cell_proof
    from rnn_parity.terminal.common import console
    from rnn_parity_core.cases import check_cell_name

    check_cell_name(name)
    with interruptible(), console(stderr=True).status("by hand") as status:
        proof = prove_cell(name, networks, status.update)
    if form == "json":
        print_json(proof)
    else:
        show_cell_proof(console(), proof)
    raise typer.Exit(proof.exit_status)
