"""Markdown tables, printed line by line as they come."""


def head(*titles: str) -> None:
    """Print a table's head."""
    row(*titles)
    row(*["---"] * len(titles))


def row(*cells: str) -> None:
    """Print a row."""
    print("|", " | ".join(cells), "|", flush=True)
