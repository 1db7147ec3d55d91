"""The worked example of docs/theory.md is what its code prints."""

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/theory.md"


def test_the_worked_example_gives_the_numbers_of_the_text() -> None:
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - our own page
    total: Any = names["total"]
    ops: Any = names["ops"]
    tanh = ops.tanh(total)
    assert total.value.item() == pytest.approx(-0.05, rel=1e-6)
    stated = [
        float(number) for number in re.findall(r"Bound: [^*]*\*\*([\d.e-]+)\*\*", text)
    ]
    assert [total.error.item(), tanh.error.item()] == pytest.approx(stated, rel=5e-3)
    assert tanh.value.item() == pytest.approx(-0.049958, rel=1e-5)


def test_every_file_that_the_page_leads_to_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    files = [PAGE.parent / link for link in links if link]
    files += [ROOT / name for name in re.findall(r"`(tests/[^`]+)`", text)]
    assert len(files) > 5
    assert [path for path in files if not path.is_file()] == []
