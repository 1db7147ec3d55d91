"""What the README shows is what there is."""

from pathlib import Path

from rnn_parity.runs.registry import known_backends
from rnn_parity_core import VARIANTS, BackendInfo
from rnn_parity_fixtures import catalogue

README = Path(__file__).parents[1] / "README.md"
ON_REQUEST = README.parent / "backends" / "README.md"


def api(info: BackendInfo, variant: str) -> str:
    means = info.implementation_for("rnn_tanh", variant)
    if means is None:
        size = "B3-T7-D4-H5-V7" if variant == "variable_output" else "B3-T7-D4-H5"
        case = catalogue.case_from_id(f"rnn_tanh-{variant}-{size}-f32-s1")
        assert info.gap(case)
        return "never"
    return means.api


def test_the_table_of_variants_and_frameworks_is_that_of_the_backends() -> None:
    pages = {page: page.read_text(encoding="utf-8") for page in (README, ON_REQUEST)}
    for name, info in known_backends().items():
        cells = " | ".join(api(info, variant) for variant in VARIANTS)
        page = pages[ON_REQUEST if info.on_request else README]
        assert f"| `{name}` | {cells} |" in page.splitlines()


def test_the_meanings_of_variants_are_those_of_the_contract() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    for variant, meaning in VARIANTS.items():
        assert f"| `{variant}` | {meaning} |" in lines
