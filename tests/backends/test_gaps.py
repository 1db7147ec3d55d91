"""What a backend declares is what it does: gaps are declined, means are used."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from rnn_parity.runs.registry import known_backends
from rnn_parity.workers.process import Worker
from rnn_parity_core import Case
from rnn_parity_fixtures import catalogue
from support import BACKENDS, KERAS, LAYERS_ON_JAX, installed

# Those on request that are quick.
DECLARING = (
    *(*BACKENDS, "onnxruntime", "openvino", *LAYERS_ON_JAX, *KERAS),
    *("mlx", "tinygrad"),
)

# A projection as large as what it projects is in no suite.
FULL = "lstm_projection-dynamic-B3-T7-D4-H5-P5-f32-s1"
# Nor are other activations: one that many layers take, and one that few do.
OTHERS = [
    catalogue.case_from_id(f"{cell}-{variant}-B3-T7-D4-H5-{task}{dtype}-s1")
    for cell in ("lstm.recurrent_hard_sigmoid", "lstm.output_relu6")
    for variant in ("dynamic", "static")
    for task in ("", "gradient-")
    for dtype in ("f32", "f64")
]
STANDARD = [*catalogue.suites()["standard"], catalogue.case_from_id(FULL), *OTHERS]


def declined(name: str) -> list[Case]:
    info = known_backends()[name]
    gaps = {case: info.gap(case) for case in STANDARD}
    return [case for case, gap in gaps.items() if gap and gap.kind != "wrong"]


def some_others(name: str) -> list[Case]:
    """Give a case of every cell in another variant each, and one of its gradients."""
    info, found = known_backends()[name], []
    for number, cell in enumerate({case.cell: None for case in STANDARD}):
        for task in ("forward", "gradient"):
            cases = [
                case
                for case in STANDARD
                if case.cell == cell and case.task == task and not info.gap(case)
            ]
            if cases:
                found.append(cases[37 * number % len(cases)])
    return found


@pytest.mark.parametrize("backend", DECLARING)
def test_what_is_declared_a_gap_is_declined_and_nothing_else(
    backend: str, workers: Callable[[str], Worker]
) -> None:
    info, worker = installed(backend), workers(backend)
    worker.load(info)
    gaps, others = declined(backend), some_others(backend)
    answers = {
        case.id: worker.run(info.name, catalogue.build(case), 120)[0]
        for case in gaps + others
    }
    expected = {case.id: "unsupported" for case in gaps}
    assert answers == expected | {case.id: "outcome" for case in others}
    assert len(others) >= (4 if backend in LAYERS_ON_JAX else 7)


@pytest.mark.parametrize("backend", DECLARING)
def test_every_gap_is_needed(backend: str) -> None:
    info = known_backends()[backend]
    for gap in info.gaps:
        if gap.depends_on_data:  # as the tests of its backend show
            assert any(info.may_decline(c) == gap and not info.gap(c) for c in STANDARD)
            continue
        without = replace(info, gaps=tuple(g for g in info.gaps if g is not gap))
        assert any(info.gap(case) and not without.gap(case) for case in STANDARD)
    for gap in info.otherwise:
        assert any(info.gap(case) == gap for case in STANDARD), gap.reason


@pytest.mark.parametrize("backend", known_backends())
def test_of_what_a_backend_does_not_do_its_own_words_say_why(backend: str) -> None:
    info = known_backends()[backend]
    gaps = [gap for case in STANDARD if (gap := info.gap(case))]
    own = [*info.gaps, *info.otherwise]
    assert [gap.reason for gap in gaps if gap not in own] == []


@pytest.mark.parametrize("backend", DECLARING)
def test_there_are_implementations_of_what_runs_and_for_nothing_else(
    backend: str,
) -> None:
    info = known_backends()[backend]
    # A cell that has no bias of its own runs without: few such cases are in the suite.
    asked = [*STANDARD, *(replace(case, bias=False) for case in STANDARD)]
    run = {(case.cell, case.variant) for case in asked if not info.gap(case)}
    for case in STANDARD:
        means = info.implementation_for(case.cell, case.variant)
        assert (means is not None) == ((case.cell, case.variant) in run), case.id
        by_hand = backend == "numpy" or case.variant == "basic"
        assert means is None or means.by_hand == by_hand, case.id
    used = {means.api for pair in run if (means := info.implementation_for(*pair))}
    assert used == {means.api for means in info.implementations}
