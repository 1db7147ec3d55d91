"""Writes the package of a new backend: installable, with its tests, and working."""

import keyword
import re
from collections.abc import Mapping
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
    check_name("backend", name, taken)
    package, distribution = f"{name}_rnn_parity", f"rnn-parity-{name.replace('_', '-')}"
    words = {
        "name": name,
        "package": package,
        "distribution": distribution,
        "title": name.title().replace("_", ""),
    }
    own = ("__init__.py", "adapter.py", "layout.py", "framework.py")
    return write(
        "backend",
        {
            **dict.fromkeys(("pyproject.toml", "README.md"), ""),
            **dict.fromkeys(own, package),
            "test_conformance.py": "tests",
        },
        parent / distribution,
        words,
    )


def write(
    kind: str, places: Mapping[str, str], folder: Path, words: Mapping[str, str]
) -> list[Path]:
    """Fill in the templates of a package, and write them into a new folder.

    Args:
        kind: The folder of the templates.
        places: File → the folder below the new one that it comes to.
        folder: The new one.
        words: What is filled in.

    Raises:
        FileError: The folder is there already, or cannot be written.

    """
    templates = Environment(
        loader=PackageLoader("rnn_parity.adapter_tools", f"templates/{kind}"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Python and TOML; the name is letters
    )
    written = []
    try:
        folder.mkdir(parents=True)
        for file, place in places.items():
            (folder / place).mkdir(exist_ok=True)
            text = templates.get_template(f"{file}.jinja").render(words)
            (folder / place / file).write_text(text, encoding="utf-8")
            written.append(folder / place / file)
    except FileExistsError:
        raise FileError(
            f"{folder} is there already; nothing was written: remove it, or choose "
            "another place with --out"
        ) from None
    except OSError as error:
        raise FileError(f"cannot write to {folder}: {error.strerror}") from None
    return written


def check_name(kind: str, name: str, taken: set[str]) -> None:
    """See that a name can be that of a package, and is free.

    Raises:
        UsageError: It is none, or taken.

    """
    if (
        not _NAME.fullmatch(name)
        or len(name) > _LONGEST_NAME
        or keyword.iskeyword(name)
    ):
        raise UsageError(
            f"{name!r} is no name for a {kind}; give up to {_LONGEST_NAME} lower-case "
            "letters, digits and underscores, a letter first: acme"
        )
    if name in taken:
        raise UsageError(f"there is a {kind} {name!r} already; choose another name")
