"""Every fault of the catalogue is caught in every cell, on NumPy and on PyTorch."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from rnn_parity.judge.certify import certify
from rnn_parity.judge.decode import well_formed
from rnn_parity.workers.process import Worker
from rnn_parity_backends import on_numpy
from rnn_parity_core import CELLS, Case, Outcome, Problem
from rnn_parity_core.arrays import unpack
from rnn_parity_core.validate import contract_violations
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import FAULTS, KINDS, Planted, plant
from rnn_parity_fixtures.faults.decoding import Decoder
from rnn_parity_fixtures.faults.equations import computed
from rnn_parity_fixtures.faults.fault import EarlierCalls
from rnn_parity_fixtures.faults.training import Loop
from support import honest, installed


def plain(cell: str, form: str) -> Case:
    """Give a case whose sizes all differ, by its variant and what follows the sizes."""
    variant, _, rest = form.partition(" ")
    size = "-P2" if cell == "lstm_projection" else ""
    return catalogue.case_from_id(f"{cell}-{variant}-B3-T7-D4-H5{size}{rest}-s1")


def fed_cases(cell: str) -> list[Case]:
    """Give cases like those of the standard suite, and two whose sizes hide shapes."""
    forms = (
        "static_single -nobias-f32",
        "dynamic -reverse-f64",
        "variable_input -f32",
        "variable_input -bidirectional-zerolength-f32",
        "variable_input -L2-bidirectional-f64",
    )
    found = [plain(cell, form) for form in forms]
    # P = H, D = the outputs' size and B = T: nothing but numbers can be wrong here.
    same = replace(plain(cell, "dynamic -L2-f64"), batch=7, features=5)
    return [*found, replace(same, projection=5) if same.projection else same]


def decoding(cell: str, layers: int) -> Problem:
    """Give the standard suite's problem, whose rows stop early, late and never."""
    (case,) = (
        case
        for case in catalogue.suites()["standard"]
        if (case.cell, case.layers, case.variant) == (cell, layers, "variable_output")
        and case.dtype == ("float64" if layers == 1 else "float32")
    )
    return catalogue.build(case)


LEARNING = {
    "gradients": (
        "dynamic -gradient-f64",
        "variable_input -bidirectional-gradient-f32",
    ),
    "training": ("dynamic -sgd-f64", "dynamic -adam-f64", "dynamic -adam-f32"),
}


def learning(cell: str, kind: str) -> list[Case]:
    """Give the cases that faults of a kind are planted in, if it is about gradients."""
    cases = [plain(cell, form) for form in LEARNING.get(kind, ())]
    # Ten updates of few steps take as long as one gradient of many.
    return [replace(case, steps=2) if case.trains else case for case in cases]


def is_caught(problem: Problem, outcome: Outcome, ulp: dict[str, float]) -> bool:
    """Whether the judge finds anything to complain about."""
    case = problem.case
    if contract_violations(outcome, case.output_shapes(), case.dtype):
        return True
    if "tokens" in outcome and well_formed(problem, outcome["tokens"]):
        return True
    found = certify(problem, outcome, ulp)
    differs = found.choices.differs if found.choices else []
    return found.bound_ratio > 1 or bool(differs)


def missed(cell: str, kind: str) -> tuple[list[str], set[str]]:
    """Give the cases in which a planted fault shows nothing, and the faults planted."""
    cases = learning(cell, kind) or fed_cases(cell)
    if kind in {"layout", "equations", "precision"}:
        # Neither lengths nor missing biases matter to these.
        cases = [cases[1], cases[3], cases[-1]]
    problems = [catalogue.build(case) for case in cases]
    problems += [decoding(cell, layers) for layers in (1, 2)]
    found, planted = [], set()
    for name, fault in KINDS[kind].items():
        for problem in problems:
            case = problem.case
            if not fault.applies(case):
                continue
            if case.task != "forward":
                held: EarlierCalls = {}
                for _ in range(fault.calls):
                    outcome = fault.run(honest, problem, held)
            else:
                adapter = Planted(inner=on_numpy.INFO.adapter, fault=name)
                for _ in range(fault.calls):
                    outcome = adapter.run(problem)
            planted.add(name)
            if not is_caught(problem, outcome, on_numpy.INFO.accuracy_for(case)):
                found.append(f"{name}: {case.id}")
    return found, planted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", CELLS.in_suites)
def test_every_fault_is_caught_in_every_case_that_it_applies_to(
    cell: str, kind: str
) -> None:
    found, planted = missed(cell, kind)
    assert not found
    assert planted


def test_every_fault_applies_to_some_case_and_has_one_name() -> None:
    cases = [case for cell in CELLS for case in fed_cases(cell)]
    cases += [c for cell in CELLS for kind in LEARNING for c in learning(cell, kind)]
    cases += [decoding(cell, 1).case for cell in CELLS.in_suites]
    idle = [
        name for name, fault in FAULTS.items() if not any(map(fault.applies, cases))
    ]
    assert not idle
    assert len(FAULTS) == sum(len(kind) for kind in KINDS.values())
    assert len(FAULTS) >= 70


@pytest.mark.parametrize("cell", CELLS.in_suites)
def test_the_equations_that_faults_are_made_of_are_right_themselves(cell: str) -> None:
    for case in fed_cases(cell):
        problem = catalogue.build(case)
        outcome = computed(problem)
        assert not is_caught(problem, outcome, on_numpy.INFO.accuracy_for(case)), (
            case.id
        )
    for layers in (1, 2):
        problem = decoding(cell, layers)
        outcome = Decoder().run(problem)
        assert not is_caught(problem, outcome, on_numpy.INFO.accuracy_for(problem.case))


@pytest.mark.parametrize("cell", CELLS.in_suites)
def test_the_loop_that_faults_of_training_are_made_of_is_right_itself(
    cell: str,
) -> None:
    for case in learning(cell, "training"):
        problem = catalogue.build(case)
        outcome = Loop().run(honest, problem, {})
        assert not is_caught(problem, outcome, on_numpy.INFO.accuracy_for(case)), (
            case.id
        )


@pytest.mark.parametrize("cell", ["rnn_tanh", "rnn_relu", "lstm", "gru"])
def test_every_fault_around_torch_is_caught(
    cell: str, workers: Callable[[str], Worker]
) -> None:
    worker, info = workers("torch"), installed("torch")
    forms = ("dynamic -f64", "variable_input -bidirectional-f64", "dynamic -L2-f64")
    fed = [catalogue.build(plain(cell, form)) for form in forms]
    problems = [*fed, decoding(cell, 1)]
    taught = {k: [catalogue.build(c) for c in learning(cell, k)] for k in LEARNING}
    worker.load(info)
    for problem in [*problems, *taught["gradients"], *taught["training"]]:
        outcome = computed_by(worker, info.name, problem)
        assert not is_caught(problem, outcome, info.accuracy_for(problem.case)), (
            problem.case.id
        )
    found, planted = [], 0
    for kind, faults in KINDS.items():
        for name, fault in faults.items():
            of_kind = taught.get(kind, problems)
            asked = [p for p in of_kind if fault.applies(p.case) and not fault.by_hand]
            if not asked:
                continue
            faulty = plant(info, name)
            worker.load(faulty)
            planted += 1
            for problem in asked[:2]:
                for _ in range(fault.calls):
                    outcome = computed_by(worker, faulty.name, problem)
                if not is_caught(problem, outcome, info.accuracy_for(problem.case)):
                    found.append(f"{name}: {problem.case.id}")
    assert not found
    assert planted > 60


def computed_by(worker: Worker, name: str, problem: Problem) -> Outcome:
    kind, *rest = worker.run(name, problem, 120)
    assert kind == "outcome", (name, problem.case.id, rest)
    return unpack(rest[0], name)[0]
