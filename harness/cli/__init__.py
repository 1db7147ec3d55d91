"""The command line; only what `--help` needs is imported, commands import the rest."""

import sys
from importlib.machinery import PathFinder
from pathlib import Path

import typer

from harness.cli.adapters import conform, new_backend
from harness.cli.checks import audit, measure, relations
from harness.cli.graphs import graph
from harness.cli.lists import backends, cases
from harness.cli.models import convert, verify
from harness.cli.options import say_ended
from harness.cli.runs import compare, report, run
from harness.cli.streams import take_streams
from harness.cli.sweeps import sweep
from harness.errors import ParityError, UsageError, clean
from harness.exits import Exit
from harness.judge.memory import keep_memory
from harness.processes.ending import NOTHING_KEPT, Ended, heed

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Same weights, same batch, every framework: the same recurrent network, "
    "or a report that says which one differs.",
)
for command in (
    *(run, sweep, verify, convert, compare, report, graph, backends, cases),
    *(audit, relations, measure, new_backend, conform),
):
    app.command()(command)


_LONGEST = 8000  # characters of a line, should it quote a file that has longer names


def _check_import_names() -> None:
    """Our import names are common words: say so if another distribution took one."""
    home = Path(__file__).parents[2]
    for name in ("backends", "fixtures", "reports"):
        found = PathFinder.find_spec(name)
        locations = list(found.submodule_search_locations or []) if found else []
        if str(home / name) not in locations:
            other = (found.origin or locations) if found else "nothing"
            raise UsageError(
                f"the import name {name!r} of rnn-parity leads to {other}, expected "
                f"{home / name}; uninstall {_distributions(name)} or use another "
                "environment"
            )


def _distributions(name: str) -> str:
    from importlib.metadata import packages_distributions

    others = set(packages_distributions().get(name, [])) - {"rnn-parity"}
    return " or ".join(sorted(others)) or "what is there"


def main() -> None:
    """Run the command line; mistakes end in one line and exit status 2."""
    keep_memory()
    take_streams()
    restore = heed()
    try:
        try:
            _check_import_names()
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
