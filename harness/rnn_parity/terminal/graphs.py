"""The graphs of what backends run, as a table."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnn_parity_core import clean
from rnn_parity_core.graph import GraphResult


def show_graphs(console: Console, found: list[GraphResult], page: str) -> None:
    """Print the size of each backend's graph, or why there is none."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("backend")
    table.add_column("form")
    for figure in ("nodes", "edges", "parts", "stripped"):
        table.add_column(figure, justify="right")
    table.add_column("note")
    for drawn in found:
        name, graph = Text(clean(drawn.backend), "bold"), drawn.graph
        if graph is None:
            style = "magenta" if drawn.status == "error" else "yellow"
            words = Text(clean(drawn.reason))
            status = Text(drawn.status, style)
            table.add_row(name, status, "", "", "", "", words)
            continue
        sizes = (graph.nodes, graph.edges, len(graph.parts), graph.stripped)
        form, note = Text(clean(graph.form)), Text(clean(graph.note))
        table.add_row(name, form, *map(str, sizes), note)
    console.print(table)
    where = clean(page) or "nothing is drawn, nothing is written"
    console.print(Text.assemble("\n", ("page     ", "bold"), where), soft_wrap=True)
