"""What commands share: options, lists of names, how a run ends."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, NoReturn

import typer

from rnn_parity.processes.ending import NOTHING_KEPT, Ended, heed
from rnn_parity.store.journal import LOCK
from rnn_parity_core import UsageError


def whole(least: int) -> Callable[[Any], int]:
    """Return a parser of whole numbers that are no smaller than one."""

    def parsed(value: Any) -> int:
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = least - 1
        if number < least:
            raise typer.BadParameter(f"{value!r} is no whole number from {least} on")
        return number

    return parsed


NONE_NAMED = "if none is named, all that are installed and need no request."

Cases = Annotated[str, typer.Option(metavar="A,B,…", help="Suites or case IDs.")]
Backends = Annotated[
    str | None, typer.Option(metavar="A,B,…", help=f"Backends; {NONE_NAMED}")
]
Folder = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Where the results are written.")
]
Jobs = Annotated[
    int,
    typer.Option(
        parser=whole(0), metavar="N", help="Workers at a time; 0: one a processor."
    ),
]
Memory = Annotated[
    str,
    typer.Option(
        metavar="SIZE",
        help="What a worker and all it starts may hold, as in 4G; no limit without it.",
    ),
]

Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Exit with 4 if anything is inconclusive, in generated suites too.",
    ),
]
RequireBound = Annotated[
    bool,
    typer.Option(
        "--require-bound",
        help="Count what an estimate alone finds consistent as inconclusive; strict.",
    ),
]

Timeout = Annotated[
    float,
    typer.Option(metavar="SECONDS", help="What one case may take on one backend."),
]
Python = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=PATH",
        help="Another Python for one backend's worker, as in "
        "jax#old=/venvs/old/bin/python; may be given again.",
    ),
]
Host = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=ssh:HOST",
        help="Another machine for one backend's worker, as in jax=ssh:me@gpu-box:22, "
        "where --python names a path; may be given again.",
    ),
]


def split(names: str | None, option: str, example: str) -> list[str]:
    """Give the names of a list with commas; none where the option is not given.

    Raises:
        UsageError: It is given, and names nothing: a variable that was empty, perhaps.

    """
    if names is None:
        return []
    found = [name.strip() for name in names.split(",") if name.strip()]
    if not found:
        raise UsageError(f"{option} names nothing; for example: {option} {example}")
    return found


def split_backends(names: str | None) -> list[str]:
    """Give the backends that are named, as `split` does."""
    return split(names, "--backends", "torch,numpy")


@contextmanager
def interruptible(out: Path | None = None) -> Iterator[None]:
    """Say what a signal ended, where outcomes so far are, and exit as shells expect."""
    try:
        yield
    except (KeyboardInterrupt, Ended) as ended:
        kept = _kept(out, "run") if out else NOTHING_KEPT
        raise typer.Exit(say_ended(ended, kept)) from None


@contextmanager
def ended_at_once(out: Path, command: str) -> Iterator[None]:
    """Say the same, and end this process right where a signal comes.

    What Dask has started takes seconds to end by itself, and ends with us.
    """
    from rnn_parity.terminal.common import console

    def end(number: int) -> NoReturn:
        console(stderr=True).show_cursor()
        with suppress(OSError):
            (out / LOCK).unlink(missing_ok=True)  # the system lets go of it
        os._exit(say_ended(Ended(number), _kept(out, command)))

    restore = heed(end)
    try:
        yield
    finally:
        restore()


def _kept(out: Path, command: str) -> str:
    if not (out / f"{command}.json").is_file():  # not begun, or taken away
        return NOTHING_KEPT
    again = f"rnn-parity {command} --resume {quote(str(out))}"
    return f"outcomes so far are in {out}; go on with: {again}"


def say_ended(ended: BaseException, kept: str) -> int:
    """Say which signal ended a command and what is kept; give the exit status."""
    if not isinstance(ended, Ended):
        ended = Ended(signal.SIGINT)
    with suppress(OSError):  # of a terminal that is gone
        sys.stderr.write(f"rnn-parity: {ended}; {kept}\n")
        sys.stderr.flush()
    return ended.status


def only_with_resume(context: typer.Context, allowed: Sequence[str]) -> None:
    """See that nothing is said of what goes on but what its folder leaves open.

    Raises:
        UsageError: Something is.

    """
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in allowed and source and source.name == "COMMANDLINE":
            is_argument = parameter.param_type_name == "argument"
            said = name.upper() if is_argument else f"--{name}"
            raise UsageError(
                f"{said} is said by the folder of the run that goes on; "
                "leave it out, or leave out --resume"
            )
