"""Commands about a model of one's own: verify, convert."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.options import Backends, Jobs, finish, interruptible, split

Model = Annotated[
    Path, typer.Argument(help=".safetensors, .pt, .keras, .h5 or .onnx with weights.")
]
Form = Literal["torch", "keras", "tensorflow-v1", "flax", "onnx", "canonical"]
Layer = Annotated[str, typer.Option(help="Which layer; several as a stack: a,b.")]
CellName = Annotated[str, typer.Option(help="Which cell, if the file does not say.")]


def verify(
    model: Model,
    layer: Layer = "",
    cell: CellName = "",
    inputs: Annotated[
        Path | None,
        typer.Option(help="safetensors with inputs [B, T, D]; seeded without it."),
    ] = None,
    backends: Backends = "",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(
        "parity-report"
    ),
    jobs: Jobs = 0,
) -> None:
    """Run a recurrent layer of a file on backends, and judge what they return.

    Exit status: that of a run.
    """
    from harness.models.read import read
    from harness.run.engine import default_jobs
    from harness.run.registry import select_backends
    from harness.screen.common import console
    from harness.screen.models import show_layer
    from harness.screen.progress import RunProgress
    from harness.verify import verify as verify_layer

    found = read(model, layer, cell)
    infos = select_backends(split(backends))
    options = {"--layer": layer, "--cell": cell, "--inputs": inputs or ""}
    options["--backends"] = ",".join(info.name for info in infos)
    again = [str(model), *(w for k, v in options.items() if v for w in (k, str(v)))]
    show_layer(console(), found)
    progress = RunProgress(console(stderr=True), {i.name: 1 for i in infos})
    with interruptible(out), progress:
        report = verify_layer(
            found,
            infos,
            out,
            again=again,
            inputs=inputs,
            jobs=jobs or default_jobs(),
            watch=progress,
        )
    finish(report, out)


def convert(
    model: Model,
    to: Annotated[Form, typer.Option(help="The form.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The new file.")],
    layer: Layer = "",
    cell: CellName = "",
) -> None:
    """Write a recurrent layer of a file in another form, read back before it is kept.

    Exit status: 0 written, 2 it cannot be.
    """
    from harness.models.read import read
    from harness.screen.common import console
    from harness.screen.models import show_layer
    from harness.verify import convert as convert_layer

    found = read(model, layer, cell)
    convert_layer(found, to, out)
    show_layer(console(), found)
