"""PyTorch compiled and on a GPU: what is said to be compiled is, settings are in force.

PyTorch itself is never imported here, only in processes started from here.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rnn_parity.runs.registry import known_backends, with_settings
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity_core import Absent, BackendInfo, BackendRecord, Case
from rnn_parity_fixtures import catalogue
from support import installed, judged

COMPILED = "torch:compile"
SIZE = "B3-T2-D4-H5"  # every step is compiled, so there are few

# Runs a case under two seeds, says what dynamo made of each, and calls the program
# with a problem that it was not made for.
WATCHED = """
import json, sys
from torch._dynamo.exc import RecompileError
from torch._dynamo.utils import counters
from rnn_parity_backends.on_torch.adapter import TorchBackend
from rnn_parity_backends.on_torch.compiled import CompiledBackend
from rnn_parity_fixtures import catalogue

def run(backend, case_id):
    backend.run(catalogue.build(catalogue.case_from_id(case_id)))
    graphs, breaks = counters["stats"]["unique_graphs"], counters["graph_break"]
    return {"graphs": graphs, "breaks": len(breaks)}

first, second, other = sys.argv[1:]
eager = run(TorchBackend(), first)
backend = CompiledBackend()
seen = [run(backend, case_id) for case_id in (first, second)]
program = backend._latest[1]
backend._compute = lambda case: program
try:
    misfit = run(backend, other)
except RecompileError as error:
    misfit = type(error).__name__
print(json.dumps({"eager": eager, "compiled": seen, "misfit": misfit}))
"""


def plain(cell: str, form: str) -> Case:
    """Give a case by its variant and what follows the sizes."""
    variant, _, rest = form.partition(" ")
    size = SIZE + ("-P2" if cell == "lstm_projection" else "")
    size += "-V7" if variant == "variable_output" else ""
    return catalogue.case_from_id(f"{cell}-{variant}-{size}{rest}-s1")


def watched(cell: str) -> dict[str, Any]:
    """Watch a layer being compiled where the environment asks that it is not."""
    seeds = [f"{cell}-dynamic-{SIZE}-f32-s{seed}" for seed in (1, 2)]
    other = f"{cell}-dynamic-{SIZE.replace('B3', 'B4')}-f32-s1"
    answer = subprocess.run(
        [sys.executable, "-c", WATCHED, *seeds, other],
        check=True,
        capture_output=True,
        env={
            **os.environ,
            "TORCH_COMPILE_DISABLE": "1",
            "TORCHDYNAMO_SUPPRESS_ERRORS": "1",
        },
    )
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


@pytest.fixture
def fresh_worker(tmp_path: Path) -> Iterator[Worker]:
    """Give a worker of the test's own: what it sets is its process'."""
    worker = Worker(tmp_path / "log")
    yield worker
    worker.close()


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_layer_is_one_graph_compiled_once_for_all_seeds_and_never_falls_back(
    cell: str,
) -> None:
    installed(COMPILED)
    seen = watched(cell)
    assert seen["eager"] == {"graphs": 0, "breaks": 0}
    assert seen["compiled"] == [{"graphs": 1, "breaks": 0}] * 2
    assert seen["misfit"] == "RecompileError"


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        pytest.param("rnn_tanh", "dynamic -gradient-f64", marks=pytest.mark.slow),
        ("rnn_relu", "basic -f32"),
        ("lstm", "dynamic -f32"),
        ("lstm_peephole", "basic -f64"),
        ("lstm_projection", "dynamic -f32"),
        ("gru", "static -f32"),
        ("gru_reset_before", "basic -f64"),
        pytest.param("gru", "dynamic -f32", marks=pytest.mark.slow),
        pytest.param("gru", "static_single -bf16", marks=pytest.mark.slow),
        pytest.param("lstm", "variable_output -f32", marks=pytest.mark.slow),
        pytest.param("lstm", "dynamic -bf16", marks=pytest.mark.slow),
        pytest.param("rnn_tanh", "basic -f16", marks=pytest.mark.slow),
        pytest.param("rnn_tanh", "dynamic -adam-f32", marks=pytest.mark.slow),
        pytest.param("lstm", "dynamic -adam-f64", marks=pytest.mark.slow),
        pytest.param("lstm", "dynamic -gradient-f32", marks=pytest.mark.slow),
        pytest.param("lstm", "static -sgd-f32", marks=pytest.mark.slow),
        pytest.param("lstm_projection", "dynamic -sgd-f32", marks=pytest.mark.slow),
        pytest.param(
            "gru", "dynamic -L2-bidirectional-gradient-f64", marks=pytest.mark.slow
        ),
        pytest.param("rnn_relu", "dynamic -reverse-f32", marks=pytest.mark.slow),
        pytest.param("gru", "dynamic -nobias-timemajor-f32", marks=pytest.mark.slow),
    ],
)
def test_what_is_compiled_is_right(
    cell: str, form: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    if (cell, form) == ("lstm", "dynamic -bf16") and not onednn_has_bfloat16():
        pytest.skip("oneDNN's LSTM layer has no bfloat16 on a CPU without AVX-512")
    info, worker = installed(COMPILED), workers(COMPILED)
    worker.load(info)
    result = judged(worker, info, plain(cell, form), RunFolder(tmp_path))
    assert result.verdict == "pass", result.detail


def onednn_has_bfloat16() -> bool:
    """Ask PyTorch, in a process of its own."""
    question = "import torch; print(torch.ops.mkldnn._is_mkldnn_bf16_supported())"
    asked = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True
    )
    return asked.stdout.strip() == "True"


def declined() -> list[Case]:
    """Give a case of each reason, and of each cell that has nothing but it."""
    forms = {
        "lstm_peephole": ("static -f32", "dynamic -f32"),
        "lstm_projection": ("static_single -f64", "variable_input -f32"),
        "gru_reset_before": ("variable_output -f32", "dynamic -bf16"),
        "rnn_tanh": ("variable_input -f32",),
        "lstm.recurrent_hard_sigmoid": ("dynamic -f32",),
        "lstm": ("variable_input -bf16", "dynamic -sgd-f32", "dynamic -L2-adam-f32"),
        "gru": ("variable_input -bidirectional-f64", "variable_input -adam-f32"),
    }
    found = [plain(cell, form) for cell, of in forms.items() for form in of]
    full = "lstm_projection-dynamic-B3-T2-D4-H5-P5-f32-s1"
    return [*found, catalogue.case_from_id(full)]


def test_what_is_not_compiled_is_declined_and_declared(
    workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    info, worker, folder = installed(COMPILED), workers(COMPILED), RunFolder(tmp_path)
    worker.load(info)
    results = [judged(worker, info, case, folder) for case in declined()]
    assert [(r.case, r.verdict, r.detail) for r in results if r.verdict != "gap"] == []
    reasons = {result.detail.rpartition(" [")[0] for result in results}
    assert reasons == {gap.why for gap in (*info.gaps, *info.otherwise)}


@pytest.mark.parametrize("name", [COMPILED, "torch@cuda"])
def test_there_are_implementations_of_what_is_no_gap_and_for_nothing_else(
    name: str,
) -> None:
    info, cases = known_backends()[name], catalogue.suites()["standard"]
    done = {(case.cell, case.variant) for case in cases if not info.gap(case)}
    for case in cases:
        means = info.implementation_for(case.cell, case.variant)
        assert (means is not None) == ((case.cell, case.variant) in done), case.id
    used = {means.api for pair in done if (means := info.implementation_for(*pair))}
    assert used == {means.api for means in info.implementations}


def test_modes_run_only_if_they_are_named_and_say_why() -> None:
    known = known_backends()
    assert not known["torch"].on_request
    assert known[COMPILED].on_request
    assert known["torch@cuda"].on_request


def settings_of(worker: Worker, info: BackendInfo) -> dict[str, Any]:
    record: BackendRecord = worker.load(info)
    return dict(record.settings)


def test_settings_in_a_name_are_in_force(fresh_worker: Worker) -> None:
    usual = settings_of(fresh_worker, installed("torch"))
    assert usual["device"] == "cpu"
    assert usual["float32_matmul_precision"] == "highest"
    assert usual["deterministic"] is True
    chosen = "torch+tf32=on+deterministic=off+threads=3"
    other = settings_of(fresh_worker, with_settings(known_backends(), chosen))
    assert other["float32_matmul_precision"] == "high"
    assert other["deterministic"] is False
    assert other["threads"] == 3
    again = settings_of(fresh_worker, installed("torch"))
    assert again == {**usual, "threads": 3}  # as the process has it


def test_a_compiled_backend_has_the_same_settings_and_names_what_compiles(
    fresh_worker: Worker,
) -> None:
    installed(COMPILED)
    chosen = with_settings(known_backends(), f"{COMPILED}+threads=1")
    said = settings_of(fresh_worker, chosen)
    assert (said["threads"], said["deterministic"]) == (1, True)
    assert said["compiler"] == "inductor"
    assert any(digit in str(said["cxx"]) for digit in "0123456789")


def test_without_a_compiler_the_compiled_backend_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = installed(COMPILED)
    monkeypatch.setenv("CXX", str(tmp_path / "nonesuch"))
    worker = Worker(tmp_path / "log")
    try:
        with pytest.raises(Absent, match=r"finds no C\+\+ compiler"):
            worker.load(info)
    finally:
        worker.close()


def why_absent(worker: Worker) -> str:
    """Say what keeps PyTorch from a GPU; nothing if nothing does."""
    try:
        worker.load(installed("torch@cuda"))
    except Absent as reason:
        return str(reason)
    return ""


def test_a_gpu_that_is_not_there_is_absent(fresh_worker: Worker) -> None:
    if not (reason := why_absent(fresh_worker)):
        pytest.skip("there is a CUDA device")
    assert reason.startswith("torch.cuda.is_available() is False: ")


def test_what_a_gpu_computes_is_right(
    workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    worker, folder = workers("torch@cuda"), RunFolder(tmp_path)
    if reason := why_absent(worker):
        pytest.skip(reason)
    info = installed("torch@cuda")
    said = settings_of(worker, info)
    assert (said["matmul_tf32"], said["cudnn_tf32"]) == (False, False)
    forms = ("static -f32", "dynamic -bidirectional-f32", "dynamic -gradient-f64")
    forms += (
        "variable_input -reverse-f32",
        "variable_output -f32",
        "dynamic -adam-f64",
    )
    cases = [
        plain(cell, form)
        for cell in ("rnn_tanh", "rnn_relu", "lstm", "gru")
        for form in forms
    ]
    results = [judged(worker, info, case, folder) for case in cases]
    assert [result.detail for result in results if result.verdict != "pass"] == []
