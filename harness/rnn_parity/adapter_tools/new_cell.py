"""Writes the package of a new cell: two layers of it, their adapters, and tests."""

from pathlib import Path

from rnn_parity.adapter_tools.new_backend import check_name, write

_OWN = (
    *("__init__.py", "cell.py", "backends.py", "torch_layer.py", "torch_adapter.py"),
    *("jax_layer.py", "jax_adapter.py"),
)


def write_cell_package(
    name: str, parent: Path, taken: set[str], backends: set[str]
) -> list[Path]:
    """Write a package named after the cell into a new folder below `parent`.

    Args:
        name: The cell's: lower-case letters, digits and underscores.
        parent: Where the folder `rnn-parity-NAME` is made.
        taken: Names of cells that there are.
        backends: Names of backends that there are.

    Raises:
        UsageError: The name is none, or taken.
        FileError: The folder is there already, or cannot be written.

    """
    check_name("cell", name, taken)
    for backend in (f"{name}_torch", f"{name}_jax"):
        check_name("backend", backend, backends)
    package, distribution = f"{name}_rnn_parity", f"rnn-parity-{name.replace('_', '-')}"
    places = {
        **dict.fromkeys(("pyproject.toml", "README.md"), ""),
        **dict.fromkeys(_OWN, package),
        "test_cell.py": "tests",
    }
    words = {"name": name, "package": package, "distribution": distribution}
    return write("cell", places, parent / distribution, words)
