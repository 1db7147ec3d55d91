"""A recurrent layer of a file in another form, written once it is certified."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rnn_parity.models.apart import read_layer
from rnn_parity.models.formats import writers
from rnn_parity.models.layer import Recurrent, difference
from rnn_parity.models.read import read_whole
from rnn_parity.runs.model_batches import problems_of
from rnn_parity.runs.observer import RunObserver
from rnn_parity.runs.registry import named_backends
from rnn_parity.runs.verify import Plan
from rnn_parity.store.folder import RunFolder
from rnn_parity_core import BackendInfo, FileError, UsageError, unknown_name
from rnn_parity_core.files import write_named
from rnn_parity_core.limits import TIMEOUT
from rnn_parity_reports.describe import one_line, sizes
from rnn_parity_reports.results import BAD, Report


def convert(
    model: str | Path,
    to: str,
    out: str | Path,
    *,
    layer: str = "",
    cell: str = "",
    ignore: Sequence[str] = (),
) -> Report:
    """Write a recurrent layer of a file in another form, once that is certified.

    Args:
        model: The file of weights.
        to: The form: one of `models.formats.writers`.
        out: The new file.
        layer: Which recurrent layer of the model, if there are several.
        cell: Which cell it is, if the file does not say.
        ignore: Names of tensors and settings in the layer that take no part in it; what
            else is not read refuses it.

    Returns:
        What came of a seeded batch, and of one that shows every weight, on the form's
        backend: `pass`; or `absent` or `gap`, where nothing could certify what was
        written.

    Raises:
        UsageError: A name is unknown, or the file's name has the wrong ending.
        FileError: The form cannot hold the layer, or what it holds is not certified, or
            a file cannot be read or written.

    """
    ignored = [ignore] if isinstance(ignore, str) else [*ignore]
    info = certifier(to)
    found = read_layer(Path(model), layer, cell, ignored)
    return convert_layer(found, to, Path(out), info)


def certifier(
    to: str, interpreters: Sequence[str] = (), hosts: Sequence[str] = ()
) -> BackendInfo:
    """Return the backend that runs what is written, under which Python and where.

    Raises:
        UsageError: The form is unknown, or the Python or the host is of no use.

    """
    if to not in (known := writers()):
        raise unknown_name("form", to, known)
    return named_backends([known[to].backend], interpreters, hosts)[0]


def convert_layer(  # noqa: PLR0913 - each says one thing
    layer: Recurrent,
    to: str,
    out: Path,
    info: BackendInfo,
    *,
    timeout: float = TIMEOUT,
    say: Callable[[str], object] = lambda _: None,
    observer: RunObserver | None = None,
) -> Report:
    """Write a layer as `convert` does, certified by a backend of `certifier`.

    `say` is told what is being done.
    """
    suffix, write, _ = writers()[to]
    if out.suffix != suffix:
        raise UsageError(f"{out}: the name must end in {suffix} for --to {to}")
    if layer.initial:
        said = ", ".join(layer.initial)
        raise FileError(
            f"{layer.name} has {said} of its own in the file, which no form holds; "
            f"leave them out by --ignore and the names of their tensors: "
            f"{', '.join(layer.stated)}"
        )
    data = write(layer)
    with TemporaryDirectory(prefix="rnn-parity-") as path:
        say("reading it back, bit for bit")
        file = RunFolder(Path(path)).write(out.name, data)
        back = read_whole(file, layer.case.cell)
        if said := difference(layer, back):
            raise FileError(
                f"{to} does not hold {layer.name} exactly: {said}; nothing was written"
            )
        for note in back.notes:
            say(f"note: {note}")
        planned = Plan(back, problems_of(back, None), [info], {}, [])
        on = " and ".join(sizes(problem.case) for problem in planned.problems)
        say(f"running {on} on {info.name}, and judging them")
        report = planned.run(
            Path(path) / "run", jobs=1, timeout=timeout, observer=observer
        )
    for result in report.results:
        if result.verdict not in BAD:
            continue
        said = f"{one_line(result)} on {info.name}"
        raise FileError(f"{to} does not compute {layer.name}: {said}; nothing written")
    write_named(out, data)
    return report
