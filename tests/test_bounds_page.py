"""The worked example of BOUNDS.md is what its code prints."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "BOUNDS.md"


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
    links = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r"`(tests/[^`]+)`", text)
    assert len(links) > 5
    files = [link for link in links if not link.startswith("#")]
    assert [link for link in files if not (PAGE.parent / link).is_file()] == []
