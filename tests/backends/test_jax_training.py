"""JAX trains as the contract has it, and Optax used otherwise is found out.

JAX itself is never imported here, only in processes started from here.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_parity.judge.certify import certify
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity_core.arrays import unpack
from rnn_parity_fixtures import catalogue
from support import installed, judged

CASES = (
    "lstm_projection-variable_input-B3-T7-D4-H5-P2-L2-bidirectional-adam-f64-s1",
    "gru-static-B3-T4-D6-H5-nobias-sgd-f32-s1",
    "rnn_tanh-dynamic-B3-T7-D4-H5-timemajor-adam-f32-s1",
)
ADAM = "rnn_tanh-dynamic-B3-T7-D4-H5-adam-f64-s1"

# What somebody may write for the contract's Adam, and what it is.
OPTIMIZERS = {
    "the contract's": "optax.adam(0.01, 0.9, 0.999, 1e-3)",
    "epsilon as usual": "optax.adam(0.01)",
    "epsilon in the root": "optax.adam(0.01, eps=0.0, eps_root=1e-6)",
    "other betas": "optax.adam(0.01, 0.9, 0.99, 1e-3)",
    "another rate": "optax.adam(0.0101, eps=1e-3)",
    "Nesterov's": "optax.nadam(0.01, eps=1e-3)",
    "decay": "optax.adamw(0.01, eps=1e-3)",
    "descent": "optax.sgd(0.01)",
}

# Trains with each of the optimisers in place of the adapter's.
WITH_OPTIMIZERS = """
import sys
from pathlib import Path
import optax
from rnn_parity_backends.on_jax import adapter
from rnn_parity_backends.with_jax import training
from rnn_parity_fixtures import catalogue
from rnn_parity_core.arrays import pack
folder, case_id, *optimizers = sys.argv[1:]
problem = catalogue.build(catalogue.case_from_id(case_id))
backend = adapter.JaxBackend(jit=False)
for number, optimizer in enumerate(optimizers):
    training.optimizer = lambda task, made=eval(optimizer): made
    adapter._update.cache_clear()
    outcome = backend.run(problem)
    Path(folder, str(number)).write_bytes(pack(outcome, {"case": case_id}))
"""


@pytest.mark.parametrize("case_id", CASES)
@pytest.mark.parametrize("backend", ["jax", "jax:eager"])
def test_training_passes(
    backend: str, case_id: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    worker, info = workers(backend), installed(backend)
    worker.load(info)
    case = catalogue.case_from_id(case_id)
    result = judged(worker, info, case, RunFolder(tmp_path))
    assert result.verdict == "pass", result.detail


def test_other_optimisers_than_the_contract_s_fail(tmp_path: Path) -> None:
    info = installed("jax:eager")
    problem = catalogue.build(catalogue.case_from_id(ADAM))
    subprocess.run(
        [sys.executable, "-c", WITH_OPTIMIZERS, tmp_path, ADAM, *OPTIMIZERS.values()],
        check=True,
    )
    bound_ratio = {}
    for number, name in enumerate(OPTIMIZERS):
        outcome, _ = unpack((tmp_path / str(number)).read_bytes(), name)
        found = certify(problem, outcome, info.accuracy_for(problem.case))
        bound_ratio[name] = found.bound_ratio
    assert bound_ratio.pop("the contract's") <= 1
    assert {name for name, worst in bound_ratio.items() if worst <= 1} == set()
