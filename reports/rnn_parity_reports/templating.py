"""Templates, and how text is kept from being read as markup.

In HTML Jinja2 escapes all of it; Markdown has no such switch, and its templates say
`text` or `code` of everything that is not ours.
"""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from rnn_parity_core import clean

_MARKDOWN_SIGNS = "\\`*_[]<>|#~$"
_LIST_MARK = re.compile(r"^(\d*)([-+=.)])")
"""What begins a list or underlines a heading at the start of a line."""

_LINKED = re.compile(
    r"@|#(?=\d)|www(?=\.)|:(?=//|[a-z+-][\w+-]*:)|GH(?=-\d)", re.IGNORECASE
)
"""What GitHub makes links, mentions and pictures of, though escaped: it looks for them
in the text that comes of Markdown, so a comment is put between."""


def environment(*, html: bool) -> Environment:
    """Give the templates of `reports/templates`, for HTML or for Markdown."""
    made = Environment(
        loader=PackageLoader("rnn_parity_reports"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=html,  # noqa: S701 - Markdown is escaped by `text`, below
        finalize=_visible if html else None,
    )
    made.filters["clean"] = cleaned
    made.filters["text"] = escape
    made.filters["code"] = code
    return made


def _visible(value: object) -> object:
    """Show control characters and turned directions of text, but not of markup."""
    return clean(value) if type(value) is str else value


def cleaned(text: str) -> str:
    """Put text on one line, without control characters or turned directions."""
    return clean(" ".join(text.split()))


def code(text: str) -> str:
    """Set text as code, on one line; a code span cannot hold its own delimiter."""
    return f"`{cleaned(text.replace('`', ''))}`"


def escape(text: str) -> str:
    """Keep text from being read as Markdown or HTML, or as links, on one line."""
    text = cleaned(text)
    for character in _MARKDOWN_SIGNS:
        text = text.replace(character, f"\\{character}")
    text = _LIST_MARK.sub(r"\1\\\2", text)
    return _LINKED.sub(r"\g<0><!-- -->", text.replace("&", "&amp;"))
