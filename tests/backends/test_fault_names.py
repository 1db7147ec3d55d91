"""What a difference is called: every planted fault's name, told from its numbers.

`fault_names.csv` has a case that each fault applies to, and all that would explain the
outcome. Where two things come to the same, both are named; of a state that no input
gave, nothing is.
"""

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from rnn_parity.judge.diagnose import explain
from rnn_parity_backends import on_numpy
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import KINDS, Planted

# Kind → fault → its case and its explanations.
NAMES: dict[str, dict[str, tuple[str, list[str]]]] = defaultdict(dict)
with Path(__file__).with_name("fault_names.csv").open(newline="") as table:
    for row in csv.DictReader(table):
        words = row["explanations"].split(" | ") if row["explanations"] else []
        NAMES[row["kind"]][row["fault"]] = row["case"], words

SAID_OTHERWISE = {"nan past the end"}  # that something is no number is no convention


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMES)
def test_what_was_done_is_what_is_named_and_nothing_else(kind: str) -> None:
    assert NAMES[kind].keys() == KINDS[kind].keys() - SAID_OTHERWISE
    named = {}
    for name, (case_id, _) in NAMES[kind].items():
        fault, case = KINDS[kind][name], catalogue.case_from_id(case_id)
        assert fault.applies(case), name
        adapter = Planted(inner=on_numpy.INFO.adapter, fault=name)
        problem = catalogue.build(case)
        for _ in range(fault.calls):
            outcome = adapter.run(problem)
        named[name] = explain(problem, outcome, on_numpy.INFO.accuracy_for(case))
    assert named == {name: words for name, (_, words) in NAMES[kind].items()}


def test_at_least_95_in_100_faults_have_a_name() -> None:
    words = [words for of_kind in NAMES.values() for _, words in of_kind.values()]
    assert sum(map(bool, words)) >= 0.95 * (len(words) + len(SAID_OTHERWISE))
