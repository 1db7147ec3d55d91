"""What the pages say of backends and variants is what there is."""

from pathlib import Path

from rnn_parity.runs.registry import known_backends
from rnn_parity_core import VARIANTS, BackendInfo
from rnn_parity_fixtures import catalogue

DOCS = Path(__file__).parents[1] / "docs"
USUAL, ON_REQUEST = DOCS / "notebook.md", DOCS / "adapters.md"


def api(info: BackendInfo, variant: str) -> str:
    means = info.implementation_for("rnn_tanh", variant)
    if means is None:
        size = "B3-T7-D4-H5-V7" if variant == "variable_output" else "B3-T7-D4-H5"
        case = catalogue.case_from_id(f"rnn_tanh-{variant}-{size}-f32-s1")
        assert info.gap(case)
        return "never"
    return means.api


def test_the_list_of_variants_and_frameworks_is_that_of_the_backends() -> None:
    """Each backend has a section of its own, in which lines may be wrapped."""
    pages = {page: page.read_text(encoding="utf-8") for page in (USUAL, ON_REQUEST)}
    for name, info in known_backends().items():
        items = " ".join(f"- `{variant}`: {api(info, variant)}" for variant in VARIANTS)
        page = pages[ON_REQUEST if info.on_request else USUAL]
        _, heading, rest = page.partition(f"\n### `{name}`\n")
        assert heading
        assert " ".join(rest.partition("\n#")[0].split()) == items


def test_the_meanings_of_variants_are_those_of_the_contract() -> None:
    lines = (DOCS / "cases.md").read_text(encoding="utf-8").splitlines()
    for variant, meaning in VARIANTS.items():
        assert f"| `{variant}` | {meaning} |" in lines
