"""Writes the package of a new backend: installable, with its tests, and working."""

import keyword
import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from rnn_parity_core import FileError, UsageError

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME = 40


def write_package(name: str, parent: Path, taken: set[str]) -> list[Path]:
    """Write a package named after the backend into a new folder below `parent`.

    Args:
        name: The backend's: lower-case letters, digits and underscores.
        parent: Where the folder `rnn-parity-NAME` is made.
        taken: Names of backends that there are.

    Raises:
        UsageError: The name is none, or taken.
        FileError: The folder is there already, or cannot be written.

    """
    _check_name(name, taken)
    package, distribution = f"{name}_rnn_parity", f"rnn-parity-{name.replace('_', '-')}"
    folder = parent / distribution
    templates = Environment(
        loader=PackageLoader("rnn_parity.adapter_tools", "templates/backend"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Python and TOML; the name is letters
    )
    words = {
        "name": name,
        "package": package,
        "distribution": distribution,
        "title": name.title().replace("_", ""),
    }
    places = {
        "pyproject.toml": folder,
        "README.md": folder,
        "__init__.py": folder / package,
        "adapter.py": folder / package,
        "layout.py": folder / package,
        "framework.py": folder / package,
        "test_conformance.py": folder / "tests",
    }
    written = []
    try:
        folder.mkdir(parents=True)
        for file, place in places.items():
            place.mkdir(exist_ok=True)
            text = templates.get_template(f"{file}.jinja").render(words)
            (place / file).write_text(text, encoding="utf-8")
            written.append(place / file)
    except FileExistsError:
        raise FileError(
            f"{folder} is there already; nothing was written: remove it, or choose "
            "another place with --out"
        ) from None
    except OSError as error:
        raise FileError(f"cannot write to {folder}: {error.strerror}") from None
    return written


def _check_name(name: str, taken: set[str]) -> None:
    if (
        not _NAME.fullmatch(name)
        or len(name) > _LONGEST_NAME
        or keyword.iskeyword(name)
    ):
        raise UsageError(
            f"{name!r} is no name for a backend; give up to {_LONGEST_NAME} lower-case "
            "letters, digits and underscores, a letter first: acme"
        )
    if name in taken:
        raise UsageError(f"there is a backend {name!r} already; choose another name")
