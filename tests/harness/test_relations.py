"""Relations of a backend with itself: they hold, and each is seen to be violated."""

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.checks.metamorphic import other_bits
from rnn_parity.checks.relations import RELATIONS, cases_asked
from rnn_parity.judge.agreement import agreement
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import CELLS, VARIANTS, Case, Outcome, Problem
from rnn_parity_core.cases import check_case
from rnn_parity_core.validate import contract_violations
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import FAULTS, Planted
from support import bits_equal, honest

# Relation → faults that it shows, each with a case of which it says so.
FORWARD = "lstm-dynamic-B3-T7-D4-H5-f32-s1"
REVERSE = "gru-dynamic-B3-T7-D4-H5-reverse-f32-s1"
PADDED = "lstm-variable_input-B3-T7-D4-H5-f64-s1"
PADDED_REVERSE = "gru-variable_input-B3-T7-D4-H5-reverse-f32-s1"
STACK = "lstm-variable_input-B3-T7-D5-H5-L2-f32-s1"
TWO_WAY = "gru-variable_input-B3-T7-D4-H5-bidirectional-f32-s1"
SPEAKING = "lstm-variable_output-B6-T9-D4-H5-V7-f32-s4"

SHOWN = [
    ("repeated call", "state carried over from the call before", FORWARD),
    ("repeated call", "state carried over from the call before", SPEAKING),
    ("batch split", "inputs' rows rotated", FORWARD),
    ("batch split", "final states' rows rotated", STACK),
    ("batch split", "initial state's rows rotated", SPEAKING),
    ("batch permutation", "inputs' rows rotated", FORWARD),
    ("batch permutation", "final states' rows rotated", STACK),
    ("batch permutation", "initial state's rows rotated", SPEAKING),
    ("padding changed", "lengths one too large", PADDED),
    ("padding changed", "state runs on over padding", PADDED),
    ("padding changed", "reverse pass begins in the padding", PADDED_REVERSE),
    ("sequence cut", "initial state dropped", FORWARD),
    ("sequence cut", "initial c dropped", PADDED),
    ("sequence cut", "final h and c swapped", FORWARD),
    ("sequence cut", "initial states of layers swapped", STACK),
    ("sequence cut", "initial state dropped", REVERSE),
    ("sequence cut", "inputs a step late", PADDED_REVERSE),
    ("reverse of reverse", "reverse ignored", REVERSE),
    ("reverse of reverse", "reverse outputs not turned back", PADDED_REVERSE),
    ("reverse of reverse", "reverse pass begins in the padding", PADDED_REVERSE),
    ("one layer at a time", "outputs of the first layer", STACK),
    ("one layer at a time", "last layer reads the inputs", STACK),
    ("one layer at a time", "final states of layers swapped", STACK),
    ("one layer at a time", "initial states of layers swapped", STACK),
    ("one direction at a time", "directions swapped", TWO_WAY),
    ("one direction at a time", "final states of directions swapped", TWO_WAY),
    ("one direction at a time", "initial states of directions swapped", TWO_WAY),
]


def built(case_id: str) -> Problem:
    return catalogue.build(catalogue.case_from_id(case_id))


def said(name: str, problem: Problem, own: Outcome, other: Outcome) -> str:
    """Give what a relation says of two outcomes."""
    if RELATIONS[name].same_bits:
        return other_bits(own, other)
    return agreement(problem, INFO, own, other).words


@pytest.mark.parametrize(("name", "fault", "case_id"), SHOWN)
def test_a_planted_fault_violates_a_relation_that_holds_without_it(
    name: str, fault: str, case_id: str
) -> None:
    problem = built(case_id)
    assert RELATIONS[name].applies(problem.case)
    assert FAULTS[fault].applies(problem.case)
    healthy = NumpyBackend().run
    other = RELATIONS[name].answer(problem, healthy)
    assert said(name, problem, healthy(problem), other) == ""
    planted = Planted(inner=INFO.adapter, fault=fault).run

    def faulty(asked: Problem) -> Outcome:
        is_wrong = FAULTS[fault].applies(asked.case)
        return planted(asked) if is_wrong else healthy(asked)

    own = faulty(problem)
    words = said(name, problem, own, RELATIONS[name].answer(problem, faulty))
    assert "allowed " in words or "the two do not tie" in words


def test_every_relation_is_seen_to_be_violated() -> None:
    assert {name for name, _, _ in SHOWN} == set(RELATIONS)


def forward_cases() -> list[Case]:
    suite = catalogue.suites()["standard"]
    return [case for case in suite if case.task == "forward"]


def test_what_is_asked_for_is_within_the_contract() -> None:
    asked: list[tuple[str, Case]] = []
    for case in forward_cases():
        problem = catalogue.build(case)
        for name, relation in RELATIONS.items():
            if not relation.applies(case):
                continue

            def look(other: Problem, name: str = name) -> Outcome:
                asked.append((name, other.case))
                check_case(other.case)
                shapes, dtype = other.case.input_shapes(), other.case.dtype
                assert contract_violations(other.arrays, shapes, dtype) == []
                full = np.full(other.case.batch, other.case.steps)
                lengths = other.arrays.get("lengths", full)
                assert bool((lengths == 0).any()) == other.case.zero_length
                assert 0 < lengths.max() <= other.case.steps
                return {
                    n: np.zeros(s, "int32" if n == "tokens" else dtype)
                    for n, s in other.case.output_shapes().items()
                }

            outcome = relation.answer(problem, look)
            shapes = case.output_shapes()
            assert contract_violations(outcome, shapes, case.dtype) == []
    assert {name for name, _ in asked} == set(RELATIONS)


@pytest.mark.parametrize("cell", CELLS.in_suites)
def test_an_honest_backend_keeps_every_relation(cell: str) -> None:
    kept: set[tuple[str, str]] = set()
    for case in forward_cases():
        if case.cell != cell or case.dtype != "float32":
            continue
        problem = catalogue.build(case)
        own = honest_with_tokens(problem)
        for name, relation in RELATIONS.items():
            if relation.applies(case) and (name, case.variant) not in kept:
                other = relation.answer(problem, honest_with_tokens)
                assert said(name, problem, own, other) == "", (name, case.id)
                kept.add((name, case.variant))
    assert {name for name, _ in kept} == set(RELATIONS)
    assert {variant for _, variant in kept} == set(VARIANTS)


def honest_with_tokens(problem: Problem) -> Outcome:
    outcome = honest(problem)
    if "tokens" in outcome:
        outcome["tokens"] = outcome["tokens"].astype(np.int32)
    return outcome


def test_a_relation_changes_nothing_of_the_problem_that_it_is_given() -> None:
    for case_id in (PADDED_REVERSE, STACK, TWO_WAY, SPEAKING):
        problem, untouched = built(case_id), built(case_id)
        for relation in RELATIONS.values():
            if relation.applies(problem.case):
                assert cases_asked(relation, problem)
        for name, array in untouched.arrays.items():
            assert bits_equal(problem[name], array)


def test_relations_apply_to_cases_that_they_can_say_something_of() -> None:
    least = catalogue.case_from_id("lstm-dynamic-B1-T1-D1-H1-f32-s1")
    assert [n for n, r in RELATIONS.items() if r.applies(least)] == ["repeated call"]
    alone = catalogue.case_from_id("gru-variable_input-B2-T7-D4-H5-zerolength-f32-s1")
    assert not RELATIONS["batch split"].applies(alone)
    assert RELATIONS["batch split"].applies(replace(alone, batch=3))
    assert RELATIONS["padding changed"].applies(replace(alone, batch=1))
