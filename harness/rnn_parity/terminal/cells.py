"""What an author of a cell sees: the package that was written, and a proof."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from rnn_parity.adapter_tools.cell_proof import CellProof, Check
from rnn_parity.terminal.common import STYLES, show_facts
from rnn_parity_core import clean

_LONGEST = 140
"""Characters of what is said, and of a trouble: two lines of 80 columns each."""


def show_cell_package(console: Console, written: list[Path], name: str) -> None:
    """Say what was written, and what to do with it."""
    for path in written:
        console.print(Text(f"  {clean(str(path))}", "dim"), soft_wrap=True)
    folder = clean(str(written[0].parent))
    console.print("\nIt works as it is, with IndRNN's equations. Prove it:\n")
    console.print(f"  pip install --editable {folder}", soft_wrap=True)
    console.print(f"  rnn-parity conform-cell {name}", soft_wrap=True)
    backends = f"--backends numpy,{name}_torch,{name}_jax"
    console.print(f"  rnn-parity run --cases cell:{name} {backends}", soft_wrap=True)
    console.print("\nThen write your own equations into cell.py and both layers.")


def show_cell_proof(console: Console, proof: CellProof) -> None:
    """Print what each check found, the first troubles of it, and the verdict."""
    for check in proof.checks:
        mark, style = STYLES["pass" if check.passes else "fail"]
        show_facts(console, [(f"{mark} {check.name:9}", Text(clean(check.said)))])
        _troubles(console, check, style)
    wrong = [check.name for check in proof.checks if not check.passes]
    mark, style = STYLES["fail" if wrong else "pass"]
    said = f"does not conform: see {', '.join(wrong)}" if wrong else "conforms"
    console.print(Text(f"{mark} {clean(proof.cell)} {said}", f"bold {style}"))


def _troubles(console: Console, check: Check, style: str) -> None:
    first, *others = check.troubles or ("",)
    if first:
        show_facts(console, [(" ", Text(clean(_short(first)), style))])
    if others:
        console.print(Text(f"   … and {len(others)} more", style))


def _short(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"
