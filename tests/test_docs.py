"""README and docs keep to their form: length, width, links, and commands that parse."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from rnn_parity.cli import app

ROOT = Path(__file__).parents[1]
WIDTH, README_LINES = 100, 150
OURS = "https://github.com/rnn-parity/rnn-parity/"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SHOWING_COMMANDS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_INLINE = re.compile(r"\]\(([^)\s]+)\)")
_REFERENCE = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
_HTML = re.compile(r"(?:src|href)=\"([^\"]*)\"")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"\s*(?:\$ |- run: |run: |reproduce: )?(rnn-parity(?: .*)?)$")
_NAMED = re.compile(r"`rnn-parity ([a-z][\w-]*)")
_USAGE_ERROR: Any = typer.BadParameter.__base__
"""Click's own, or that of the click that typer carries."""


def names(pages: list[Path]) -> list[str]:
    """Give pages as pytest names them."""
    return [page.relative_to(ROOT).as_posix() for page in pages]


def too_wide(text: str) -> list[int]:
    """Give the lines that are wider than a page may be, by number."""
    lines = enumerate(text.splitlines(), start=1)
    return [number for number, line in lines if len(line) > WIDTH]


def links(text: str) -> list[str]:
    """Give where a page leads to, outside of its fenced blocks."""
    prose = _FENCE.sub("", text)
    return [link for of in (_INLINE, _REFERENCE, _HTML) for link in of.findall(prose)]


def not_absolute(text: str) -> list[str]:
    """Give the links that lead nowhere from another site's copy of a page."""
    return [link for link in links(text) if not link.startswith("https://")]


def leading_nowhere(text: str, page: Path) -> list[str]:
    """Give the links to files, and to headings of pages, that are not there."""
    return [link for link in links(text) if not _resolves(link, page)]


def _resolves(link: str, page: Path) -> bool:
    if link.startswith(OURS):
        path, _, heading = link.removeprefix(OURS).partition("#")
        kind, _, path = path.partition("/main/")
        place = ROOT / path
        if kind not in {"blob", "raw"}:
            return False
    elif re.match(r"[a-z]+:", link):
        return True  # of somebody else's
    else:
        path, _, heading = link.partition("#")
        place = page.parent / path if path else page
    if heading and place.is_file():
        return heading in anchors(place.read_text(encoding="utf-8"))
    return place.exists()


def anchors(text: str) -> set[str]:
    """Give the names of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def commands(text: str) -> Iterator[str]:
    """Give every command line of ours in the fenced blocks, continued ones whole."""
    for block in _FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if match := _COMMAND.match(line):
                yield match[1]


def program() -> Any:
    """Give the whole command line: a click group."""
    return typer.main.get_command(app)


def does_not_parse(command: str) -> str:
    """Say why a command line is none; nothing if it is one."""
    words = shlex.split(command, comments=True)[1:]
    group = program()
    try:
        rest = _parsed(group, words)
        if not rest:
            return ""
        name, *words = rest
        if name not in group.commands:
            return f"No such command {name!r}."
        if rest := _parsed(group.commands[name], words):
            return f"Got unexpected extra argument {rest[0]!r}."
    except _USAGE_ERROR as error:
        return str(error.format_message())
    return ""


def _parsed(command: Any, words: list[str]) -> list[str]:
    """Give what options and arguments leave, once their values are known to be such.

    Raises:
        UsageError: An option is unknown, or has no value, or one of no use.

    """
    context = typer.Context(command)
    values, rest, _ = command.make_parser(context).parse_args([*words])
    for parameter in command.params:
        parameter.callback = None  # nothing is done, not even for --install-completion
        value, _ = parameter.consume_value(context, values)
        parameter.process_value(context, value)
    return list(rest)


def unknown_names(text: str) -> list[str]:
    """Give the commands that are named in a page's words, and are none."""
    known = program().commands
    return [name for name in _NAMED.findall(text) if name not in known]


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_the_readme_is_short() -> None:
    assert len(read(ROOT / "README.md").splitlines()) <= README_LINES


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_no_line_is_too_wide(page: Path) -> None:
    assert too_wide(read(page)) == []


def test_a_line_that_is_too_wide_is_found() -> None:
    assert too_wide(f"{'a' * WIDTH}\n| {'é' * WIDTH} |\n") == [2]


def test_links_of_the_readme_are_absolute() -> None:
    assert len(links(read(ROOT / "README.md"))) > 10
    assert not_absolute(read(ROOT / "README.md")) == []


def test_a_relative_link_is_found() -> None:
    text = '[a](https://b.c/d) [b](docs/b.md)\n<img src="c.png">\n\n[d]: #e\n'
    assert not_absolute(text) == ["docs/b.md", "#e", "c.png"]
    assert not_absolute("```text\n[a](b)\n```\n") == []


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    assert leading_nowhere(read(page), page) == []


@pytest.mark.parametrize(
    "link",
    [
        "no.md",
        "../no",
        "#no",
        "theory.md#no",
        f"{OURS}blob/main/no",
        f"{OURS}main/docs",
    ],
)
def test_a_link_that_leads_nowhere_is_found(link: str) -> None:
    page = ROOT / "docs/commands.md"
    good = (
        f"[a](theory.md) [b](theory.md#the-rules) [c]({OURS}blob/main/docs/theory.md)"
    )
    assert leading_nowhere(good, page) == []
    assert leading_nowhere(f"{good} [d]({link})", page) == [link]


@pytest.mark.parametrize("page", SHOWING_COMMANDS, ids=names(SHOWING_COMMANDS))
def test_every_command_parses(page: Path) -> None:
    text = read(page)
    wrong = {command: does_not_parse(command) for command in commands(text)}
    assert {command: why for command, why in wrong.items() if why} == {}
    assert unknown_names(text) == []


def test_every_command_has_its_examples() -> None:
    known = program().commands
    text = read(ROOT / "docs/commands.md")
    shown = {shlex.split(command)[1] for command in commands(text) if " " in command}
    assert set(known) <= shown
    assert all(f"\n## {name}\n" in text for name in known)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("rnn-parity walk", "No such command"),
        ("rnn-parity --walk", "No such option"),
        ("rnn-parity run --walk", "No such option"),
        ("rnn-parity run --cases", "requires an argument"),
        ("rnn-parity run standard", "unexpected extra argument"),
        ("rnn-parity run --jobs many", "Invalid value"),
        ("rnn-parity verify", "Missing"),
        ("rnn-parity convert a.pt -o b.onnx", "Missing"),
    ],
)
def test_a_command_that_does_not_parse_is_found(command: str, why: str) -> None:
    block = f"```sh\nmake x\n{command}  # says what it does\n```\n"
    (found,) = commands(block)
    assert why in does_not_parse(found)


def test_commands_are_found_wherever_blocks_have_them() -> None:
    text = "rnn-parity no\n```sh\n$ rnn-parity run \\\n    --jobs 2\n```\n"
    text += "```text\n  reproduce: rnn-parity cases\nrnn-parity-acme/\n```\n"
    assert [*map(shlex.split, commands(text))] == [
        ["rnn-parity", "run", "--jobs", "2"],
        ["rnn-parity", "cases"],
    ]
    assert all(does_not_parse(command) == "" for command in commands(text))


def test_a_command_of_no_such_name_is_found_in_words() -> None:
    text = "`rnn-parity run --walk` and `rnn-parity --help`, not `rnn-parity walk`"
    assert unknown_names(text) == ["walk"]
