"""Commands about a model of one's own: verify, convert."""

from pathlib import Path
from typing import Annotated

import typer

from rnn_parity.cli.options import (
    Folder,
    Host,
    Jobs,
    Memory,
    Python,
    RequireBound,
    interruptible,
    split_backends,
)
from rnn_parity.cli.output import Form, Quiet, Verbose, finish, print_json
from rnn_parity_core.limits import TIMEOUT

Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help=".safetensors, .pt, .keras, .h5 or .onnx with weights."
    ),
]
Layer = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Which layer; a,b is a stack: b reads a's output."
    ),
]
CellName = Annotated[
    str, typer.Option(metavar="NAME", help="Which cell, if the file does not say.")
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A tensor or setting in the layer that takes no part in it; repeatable.",
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="What one backend, or reading a file, may take."
    ),
]


def verify(
    model: Model,
    layer: Layer = "",
    cell: CellName = "",
    ignore: Ignore = None,
    inputs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Inputs [B, T, D]: .npy; .npz or .safetensors may also have initial_h,"
            " initial_c and lengths. Seeded without it. Beside it a batch is run that "
            "shows every weight.",
        ),
    ] = None,
    expected: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What you expect, judged as one more backend. .npy: outputs; .npz or "
            ".safetensors: any of outputs, final_h and final_c; of a stack also "
            "layer0.outputs, … of all lower layers; and of probe.outputs, ….",
        ),
    ] = None,
    write_inputs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Run nothing: write the batch, and one that shows every weight, for "
            "your own framework to compute; .npz or .safetensors.",
        ),
    ] = None,
    backends: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="Backends; without it the framework that the file comes from, and "
            "NumPy; all: every one that is installed and needs no request.",
        ),
    ] = None,
    python: Python = None,
    host: Host = None,
    out: Folder = Path("parity-report"),
    jobs: Jobs = 0,
    timeout: Timeout = TIMEOUT,
    memory: Memory = "",
    form: Form = "table",
    *,
    require_bound: RequireBound = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Check a recurrent layer of a model file.

    It is run on backends, and compared with the outputs that you expect.

    Exit status: that of a run; 4 if anything is inconclusive.
    """
    from rnn_parity.processes.guard import read_memory
    from rnn_parity.runs.verify import plan
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.models import show_backends, show_layer, show_problems
    from rnn_parity.terminal.progress import RunProgress
    from rnn_parity_core import UsageError

    if write_inputs:
        if expected or backends is not None or python or host:
            raise UsageError(
                "--write-inputs runs nothing; leave out --expected, --backends, "
                "--python and --host"
            )
        options = {"--layer": [layer], "--cell": [cell], "--ignore": ignore or []}
        _write_inputs(model, options, inputs, write_inputs, timeout)
        return
    most = read_memory(memory)
    planned = plan(
        model,
        layer=layer,
        cell=cell,
        ignore=ignore or (),
        inputs=inputs,
        expected=expected,
        backends=split_backends(backends),
        interpreters=python or (),
        hosts=host or (),
        timeout=timeout,
    )
    if form == "table" and not quiet:
        show_layer(console(), planned.layer)
        show_problems(console(), planned.problems, inputs, expected)
        show_backends(console(), planned.infos, by_default=backends is None)
    totals = {info.name: len(planned.problems) for info in planned.infos}
    progress = RunProgress(console(stderr=True), totals)
    with interruptible(out), progress:
        report = planned.run(
            out,
            jobs=jobs,
            timeout=timeout,
            memory=most,
            require_bound=require_bound,
            observer=progress,
        )
    finish(report, out, form, verbose=verbose, quiet=quiet)


def _write_inputs(
    model: Path,
    options: dict[str, list[str]],
    inputs: Path | None,
    out: Path,
    timeout: float,
) -> None:
    """Write batches for somebody's own framework, and say what to do with them."""
    from rnn_parity.models.apart import read_layer
    from rnn_parity.runs.engine import check_timeout
    from rnn_parity.runs.model_batches import problems_of, write_batches
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.models import show_layer, show_problems, show_written

    check_timeout(timeout)
    (layer,), (cell,), ignore = options.values()
    found = read_layer(model, layer, cell, ignore, timeout)
    problems = problems_of(found, inputs, timeout)
    write_batches(problems, out, beside=(model, inputs))
    show_layer(console(), found)
    show_problems(console(), problems, inputs, None)
    asked = [(option, value) for option, of in options.items() for value in of if value]
    words = [word for pair in asked for word in pair]
    show_written(console(), problems, out, [str(model), *words])


def convert(
    model: Model,
    to: Annotated[
        str,
        typer.Option(
            metavar="FORM",
            help="torch, keras, tensorflow-v1, flax, onnx or canonical.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The new file.")
    ],
    layer: Layer = "",
    cell: CellName = "",
    ignore: Ignore = None,
    python: Python = None,
    host: Host = None,
    timeout: Timeout = TIMEOUT,
    form: Form = "table",
) -> None:
    """Write a layer of a file in another form, certified.

    It is read back, bit for bit, and run on the form's own backend. Exit status: 0
    written, 2 it cannot be.
    """
    from rnn_parity.models.apart import read_layer
    from rnn_parity.runs.convert import certifier, convert_layer
    from rnn_parity.runs.engine import check_timeout
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.models import show_conversion, show_layer
    from rnn_parity.terminal.progress import RunProgress

    check_timeout(timeout)
    steps = console(stderr=True)
    info = certifier(to, python or (), host or ())
    found = read_layer(model, layer, cell, ignore or (), timeout)
    if form == "table":
        show_layer(console(), found)
    with interruptible(), RunProgress(steps, {info.name: 2}) as progress:
        report = convert_layer(
            *(found, to, out, info),
            timeout=timeout,
            say=steps.print,
            observer=progress,
        )
    if form == "json":
        print_json({"wrote": str(out), "results": report.results})
    else:
        show_conversion(console(), report.results, out)
