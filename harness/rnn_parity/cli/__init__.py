"""The command line; only what `--help` needs is imported, commands import the rest."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import rnn_parity
from rnn_parity.cli.adapters import conform, conform_cell, new_backend, new_cell
from rnn_parity.cli.checks import measure, metamorphic, mutation_test
from rnn_parity.cli.config import defaults
from rnn_parity.cli.examples import epilog
from rnn_parity.cli.graphs import graph
from rnn_parity.cli.lists import backends, cases, download
from rnn_parity.cli.models import convert, verify
from rnn_parity.cli.options import say_ended
from rnn_parity.cli.reports import compare, report
from rnn_parity.cli.runs import run
from rnn_parity.cli.streams import take_streams
from rnn_parity.cli.sweeps import sweep
from rnn_parity.judge.allocator import keep_memory
from rnn_parity.processes.ending import NOTHING_KEPT, Ended, heed
from rnn_parity_core import ParityError, clean
from rnn_parity_core.exit_status import Exit

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(run, verify, convert, compare, report, graph, sweep, backends, cases, download),
    *(mutation_test, metamorphic, measure, new_backend, conform),
    *(new_cell, conform_cell),
):
    name = command.__name__.replace("_", "-")
    app.command(name, epilog=epilog(name))(command)


_LONGEST = 8000  # characters of a line, should it quote a file that has longer names


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"rnn-parity {rnn_parity.__version__}")
        raise typer.Exit


@app.callback()
def rnn_parity_command(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say which it is."
        ),
    ] = False,
) -> None:
    """Check that a recurrent layer computes the same in every framework."""


def main() -> None:
    """Run the command line; mistakes end in one line and exit status 2."""
    keep_memory()
    take_streams()
    restore = heed()
    try:
        try:
            commands = typer.main.get_group(app).commands
            app(default_map=defaults(commands, Path.cwd()))
        finally:
            sys.stdout.flush()  # or it fails when nobody is there to say so
    except Ended as ended:
        sys.exit(say_ended(ended, NOTHING_KEPT))
    except ParityError as error:
        line = clean(" ".join(str(error).split()))[:_LONGEST]
        sys.stderr.write(f"rnn-parity: {line}\n")
        sys.exit(Exit.NOTHING)
    finally:
        restore()
