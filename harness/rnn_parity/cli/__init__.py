"""The command line; only what `--help` needs is imported, commands import the rest."""

import sys

import typer

from rnn_parity.cli.adapters import conform, new_backend
from rnn_parity.cli.checks import measure, metamorphic, mutation_test
from rnn_parity.cli.graphs import graph
from rnn_parity.cli.lists import backends, cases, download
from rnn_parity.cli.models import convert, verify
from rnn_parity.cli.options import say_ended
from rnn_parity.cli.runs import compare, report, run
from rnn_parity.cli.streams import take_streams
from rnn_parity.cli.sweeps import sweep
from rnn_parity.judge.memory import keep_memory
from rnn_parity.processes.ending import NOTHING_KEPT, Ended, heed
from rnn_parity_core.errors import ParityError, clean
from rnn_parity_core.exit_status import Exit

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Same weights, same batch, every framework: the same recurrent network, "
    "or a report that says which one differs.",
)
for command in (
    *(run, sweep, verify, convert, compare, report, graph, backends, cases, download),
    *(mutation_test, metamorphic, measure, new_backend, conform),
):
    app.command()(command)


_LONGEST = 8000  # characters of a line, should it quote a file that has longer names


def main() -> None:
    """Run the command line; mistakes end in one line and exit status 2."""
    keep_memory()
    take_streams()
    restore = heed()
    try:
        try:
            app()
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
