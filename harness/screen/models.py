"""What was found in a model's file."""

from rich.console import Console
from rich.text import Text

from harness.errors import clean
from harness.models.layer import Recurrent


def show_layer(console: Console, layer: Recurrent) -> None:
    """Say what a layer is: cell, sizes, direction, dtype, whose convention."""
    case = layer.case
    said = (
        f"{case.cell}, {case.layers} layers, {case.direction}, {case.features} → "
        f"{case.units} units, {case.dtype}, as {layer.convention} keeps it"
    )
    name = (clean(layer.name), "bold")
    console.print(Text.assemble("found ", name, f": {said}"), soft_wrap=True)
    for note in layer.notes:
        console.print(Text(f"  {clean(note)}", "dim"), soft_wrap=True)
