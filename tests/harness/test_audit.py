"""The kill score: faults that live and false alarms are not passed over."""

import re
import signal
import threading
from collections.abc import Callable

import pytest

from backends.on_numpy import INFO
from fixtures import catalogue
from fixtures.faults import FAULTS, KINDS
from harness import audit
from harness.audit import HEALTHY, OURS, Trial, idle, survivors, table
from harness.errors import UsageError
from harness.judge.peers import PEERS

CASES = [
    catalogue.case_from_id("lstm-dynamic-B3-T7-D4-H5-f32-s1"),
    catalogue.case_from_id("gru-variable_input-B3-T7-D4-H5-L2-bidirectional-f64-s1"),
]


def trial(kind: str, fault: str, *, killed: bool, peer: bool = True) -> Trial:
    broken = {OURS: killed, **dict.fromkeys(PEERS, peer)}
    case, named = f"case-of-{fault}", fault == "a"
    return Trial(kind, fault, case, broken, named, "what was said")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave two faults of two kinds, one that NumPy's tolerance sees and one not."""
    chosen = {
        "layout": {"bias doubled": KINDS["layout"]["bias doubled"]},
        "contract": {"output missing": KINDS["contract"]["output missing"]},
    }
    monkeypatch.setattr(audit, "KINDS", chosen)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("jobs", [1, 2])
def test_faults_are_planted_in_a_real_adapter_and_killed(jobs: int) -> None:
    seen: list[Trial] = []
    trials = audit.audit(INFO, CASES, each=2, jobs=jobs, notify=seen.append)
    assert sorted(seen) == sorted(trials)
    kinds = [t.kind for t in trials]
    assert kinds == ["layout"] * 2 + ["contract"] * 2 + [HEALTHY] * 2
    assert all(t.broken[OURS] for t in trials if t.kind != HEALTHY)
    assert not any(t.broken[OURS] for t in trials if t.kind == HEALTHY)
    assert survivors(trials) == []
    titles, rows = table(trials)
    assert titles[:5] == ["kind", "faults", "cases", OURS, "named"]
    assert rows[0][:5] == ["layout", "1", "2", "1 (100 %)", "100 %"]
    assert rows[1][:5] == ["contract", "1", "2", "1 (100 %)", "0 %"]
    assert rows[2][:5] == [HEALTHY, "none", "2", "no false alarm", ""]


def test_an_interruption_ends_every_share_after_the_trial_at_hand() -> None:
    seen: list[Trial] = []

    def interrupt(trial: Trial) -> None:
        seen.append(trial)
        if len(seen) == 1:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        audit.audit(INFO, CASES, each=1, jobs=2, notify=interrupt)
    assert 1 <= len(seen) < 10


def test_a_fault_that_lives_and_a_false_alarm_are_named() -> None:
    trials = [
        trial("layout", "a", killed=False),
        trial("layout", "a", killed=True),
        trial("layout", "b", killed=False),
        trial("sequence", "c", killed=True),
        trial("sequence", "a", killed=True),
        trial(HEALTHY, "", killed=True, peer=False),
        trial(HEALTHY, "", killed=False, peer=False),
    ]
    assert survivors(trials) == [
        "layout: b survives case-of-b",
        "false alarm: what was said",
    ]
    _, rows = table(trials)
    ours = ["layout", "2", "3", "1 (33 %)", "100 %"]
    assert rows[0] == [*ours, *["2 (100 %)"] * len(PEERS)]
    assert rows[1][:5] == ["sequence", "2", "2", "2 (100 %)", "50 %"]
    assert rows[2][3] == "1 false alarms (50 %)"
    assert rows[2][5:] == ["no false alarm"] * len(PEERS)


def test_faults_without_a_case_are_named_and_a_suite_without_any_is_refused() -> None:
    assert "bias doubled" not in idle(INFO, CASES)
    assert "projection transposed" in idle(INFO, CASES)
    assert set(idle(INFO, [])) == set(FAULTS)
    with pytest.raises(UsageError, match="no fault applies to any of these cases"):
        audit.audit(INFO, [], each=1, jobs=1)


@pytest.mark.usefixtures("few")
def test_the_command_prints_the_table_in_both_forms(
    rnn_parity: Callable[..., tuple[int, str, str]],
) -> None:
    chosen = ("--cases", CASES[0].id, "--backend", "numpy", "--jobs", "1")
    status, out, _ = rnn_parity("audit", *chosen)
    assert status == 0
    assert re.search(r"^layout +1 +1 +1 \(100 %\)", out, re.MULTILINE)
    status, out, _ = rnn_parity("audit", *chosen, "--markdown")
    assert status == 0
    assert "| layout | 1 | 1 | 1 (100 %) | 100 % | 1 (100 %) |" in out
    status, _, err = rnn_parity("audit", "--backend", "nonesuch")
    assert (status, "unknown backend" in err) == (2, True)


def test_every_fault_applies_to_some_case_of_the_standard_suite() -> None:
    standard = catalogue.suites()["standard"]
    unmatched = [f for f in FAULTS if not any(map(FAULTS[f].applies, standard))]
    assert unmatched == []
