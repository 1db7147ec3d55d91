"""What a backend cannot do with somebody's weights is no failure of these."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from safetensors.numpy import load_file, save_file

import rnn_parity
from rnn_parity.runs import verify
from rnn_parity.runs.registry import known_backends
from rnn_parity.store.folder import RunFolder
from rnn_parity_core import Accuracy, Array, BackendInfo, Error, Gap, Problem
from rnn_parity_fixtures.faults import plant
from rnn_parity_reports.results import Report, Result
from support import honest, installed, stating

Cli = Callable[..., tuple[int, str, str]]

FILES = Path(__file__).parents[1] / "files"
NUMPY = known_backends()["numpy"]
REASON = "hk.LSTM always adds 1 to its forget bias, and a forget bias of this layer"


def of_backend(report: Report, name: str) -> list[Result]:
    return [result for result in report.results if result.backend == name]


# What torch.nn.LSTM draws, and a uniform draw: no bias less 1 and 1 more is itself.
@pytest.mark.parametrize("file", ["lstm_as_constructed.pt", "lstm_uniform_biases.pt"])
def test_an_lstm_as_pytorch_makes_it_passes_or_is_a_gap_said_to_its_user(
    file: str, tmp_path: Path, command_line: Cli
) -> None:
    for name in ("tensorflow:v1", "haiku"):
        installed(name)
    out = ["--backends", "numpy,tensorflow:v1,haiku", "--out", str(tmp_path / "r")]
    status, said, _ = command_line("verify", str(FILES / file), *out)
    assert status == 0
    assert "4 pass, 2 gap of 6" in said
    assert f"gap      haiku: never: {REASON}" in " ".join(said.split()).replace(
        "gap haiku", "gap      haiku"
    )
    assert "declare" not in said


@pytest.mark.parametrize("file", ["lstm_as_constructed.pt", "lstm_uniform_biases.pt"])
def test_it_is_converted_for_tensorflow_1_and_said_how_to_load_it(
    file: str, tmp_path: Path, command_line: Cli
) -> None:
    installed("tensorflow:v1")
    out = tmp_path / "v1.safetensors"
    ask = ["convert", str(FILES / file), "--to", "tensorflow-v1", "-o", str(out)]
    status, said, steps = command_line(*ask)
    assert status == 0
    assert "tensorflow:v1 computes the same" in said
    assert "forget_bias=0: make the cells with it" in " ".join(steps.split())
    assert out.is_file()


def with_backends(monkeypatch: pytest.MonkeyPatch, *infos: BackendInfo) -> None:
    monkeypatch.setattr("rnn_parity.runs.verify.select_backends", lambda *_: [*infos])


def test_what_nobody_foresaw_that_a_backend_declines_is_a_gap_in_its_words(
    monkeypatch: pytest.MonkeyPatch, command_line: Cli, tmp_path: Path
) -> None:
    declining = replace(plant(NUMPY, "declines"), name="acme")
    with_backends(monkeypatch, NUMPY, declining)
    out = ["--out", str(tmp_path / "r")]
    model = str(FILES / "lstm_as_constructed.pt")
    status, said, _ = command_line("verify", model, *out)
    assert status == 0
    assert "acme: notyet: declined on purpose" in said
    assert "declare" not in said
    # The saved run is judged as it was.
    assert command_line("compare", str(tmp_path / "r"))[0] == 0
    with_backends(monkeypatch, declining)
    assert command_line("verify", model, *out)[0] == 2  # nothing was compared


def test_what_a_backend_computes_for_all_that_it_declares_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gaps = (Gap("never", "it once had no LSTM"),)
    right = replace(NUMPY, name="acme", gaps=gaps)
    wrong = replace(plant(right, "one unit off by 1e-5"), name="wrong", gaps=gaps)
    with_backends(monkeypatch, right, wrong)
    report = rnn_parity.verify(FILES / "lstm_as_constructed.pt")
    assert {r.verdict for r in of_backend(report, "acme")} == {"pass"}
    failing = of_backend(report, "wrong")
    assert {r.verdict for r in failing} == {"fail"}
    assert all("gap" not in r.detail for r in failing)


def test_rows_of_no_step_that_end_in_zeros_as_they_began_are_right() -> None:
    installed("onnxruntime")
    x = np.random.default_rng(1).normal(size=(3, 6, 4)).astype("float32")
    inputs = {"inputs": x, "lengths": np.array([6, 0, 3])}
    model = FILES / "lstm_as_constructed.pt"
    started = {"initial_h": np.full((1, 3, 5), 0.5, "float32")}
    for more, verdict in (({}, "pass"), (started, "gap")):
        report = rnn_parity.verify(
            model, inputs=inputs | more, backends=["numpy", "onnxruntime"]
        )
        result, _probe = of_backend(report, "onnxruntime")
        assert (result.verdict, report.exit_status) == (verdict, 0)


def test_a_bias_that_is_expected_of_a_layer_without_fails_as_others_do(
    tmp_path: Path, command_line: Cli
) -> None:
    given = [f"{FILES / 'lstm_nobias'}_{kind}.npy" for kind in "xy"]
    ask = ["--inputs", given[0], "--expected", given[1], "--backends", "numpy"]
    model = str(FILES / "lstm_nobias.pt")
    status, said, _ = command_line("verify", model, *ask, "--out", str(tmp_path / "r"))
    assert status == 1
    assert "2 pass, 1 fail of 3" in said
    assert "320 of 320 elements outside the bound" in said
    assert "please report" not in said


def two_biases(tmp_path: Path, kind: int) -> Path:
    rng = np.random.default_rng(4)
    shapes = {"weight_ih_l0": (kind * 5, 4), "weight_hh_l0": (kind * 5, 5)}
    shapes |= {f"bias_{side}_l0": (kind * 5,) for side in ("ih", "hh")}
    drawn = {n: rng.uniform(-1, 1, s).astype("float32") for n, s in shapes.items()}
    save_file(drawn, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def production(model: Path, x: Array, **changes: Array) -> Array:
    """Give what a right production makes of weights that it read wrong."""
    other = model.with_name("other.safetensors")
    save_file({**load_file(model), **changes}, other)
    return honest(verify.plan(other, inputs=x).problems[0])["outputs"]


@pytest.mark.parametrize("side", ["ih", "hh"])
@pytest.mark.parametrize("kind", [4, 3])
def test_which_of_a_files_two_biases_production_dropped_is_named(
    kind: int, side: str, tmp_path: Path
) -> None:
    model = two_biases(tmp_path, kind)
    x = np.random.default_rng(2).normal(size=(3, 7, 4)).astype("float32")
    zeros = {f"bias_{side}_l0": np.zeros(kind * 5, "float32")}
    report = rnn_parity.verify(
        *(model,),
        inputs=x,
        expected=production(model, x, **zeros),
        backends=["numpy"],
        out=tmp_path / "r",
    )
    (result,) = of_backend(report, "expected")
    assert (result.verdict, result.explanations) == ("fail", [f"bias_{side} dropped"])


def judged(problem: Problem, expected: Array, *names: str) -> Result:
    infos = [known_backends()[name] for name in ("numpy",)]
    infos += [info for info in verify.known_backends().values() if info.name in names]
    planned = verify.Plan(
        *(verify.read_layer(FILES / "lstm_as_constructed.pt"), [problem], infos),
        {problem.case.id: {"outputs": expected}},
        [],
    )
    with TemporaryDirectory() as path:
        report = planned.run(Path(path) / "r", jobs=1, timeout=60)
    (result,) = of_backend(report, "expected")
    return result


def test_whose_outputs_they_may_be_is_asked_where_these_would_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A backend of another package, that nobody named, states that it errs by more."""
    coarse = stating(NUMPY, "float32", sigmoid=Error(4.0, absolute=1e-4))
    coarse = replace(coarse, name="coarse")
    known = {**known_backends(), "coarse": coarse}
    x = np.random.default_rng(2).normal(size=(3, 7, 4)).astype("float32")
    problem, _ = verify.plan(FILES / "lstm_as_constructed.pt", inputs=x).problems
    right = honest(problem)["outputs"]
    # As rounding does, either way: what always goes one way is none.
    off = np.random.default_rng(3).choice([-1, 1], right.shape).astype("float32")
    near, far = right + np.float32(5e-7) * off, right + np.float32(2e-2) * off
    assert "add it to --backends" not in judged(problem, near).detail
    for module in ("expected", "verify"):
        where = f"rnn_parity.runs.{module}.known_backends"
        monkeypatch.setattr(where, lambda: known)
    said = "by the accuracy that coarse states it would pass; if that computed it, add"
    result = judged(problem, near)
    assert result.verdict == "fail"
    assert said in result.detail
    assert judged(problem, right).verdict == "pass"
    assert "add it to --backends" not in judged(problem, far).detail
    assert judged(problem, near, "coarse").verdict == "pass"
    assert judged(problem, far, "coarse").verdict == "fail"


def saturated(tmp_path: Path) -> Path:
    """Give an LSTM whose output gates are shut, as some of a trained one are."""
    file = two_biases(tmp_path, 4)
    arrays = load_file(file)
    arrays = {name: array * np.float32(4) for name, array in arrays.items()}
    arrays["bias_ih_l0"][-5:] -= np.float32(20)
    save_file(arrays, file)
    return file


def test_outputs_of_onnx_runtime_pass_whether_it_is_named_or_not(
    tmp_path: Path,
) -> None:
    """Its sigmoid is 0 from -18 on: what it returns there says nothing of c."""
    installed("onnxruntime")
    model, x = saturated(tmp_path), np.zeros((4, 20, 4), "float32")
    x[:] = 3 * np.random.default_rng(6).normal(size=x.shape)
    ask: dict[str, Any] = {
        "inputs": x,
        "backends": ["numpy", "onnxruntime"],
        "out": tmp_path / "r",
    }
    report = rnn_parity.verify(model, **ask)
    outcome = RunFolder(tmp_path / "r").outcome("onnxruntime", report.cases[0].id)
    assert (outcome["outputs"] == 0).mean() > 1 / 10
    for names in (["numpy"], ["numpy", "onnxruntime"]):
        report = rnn_parity.verify(model, inputs=x, expected=outcome, backends=names)
        assert {r.verdict for r in report.results} == {"pass"}
    wrong = {**outcome, "outputs": outcome["outputs"] + np.float32(1e-4)}
    report = rnn_parity.verify(model, inputs=x, expected=wrong, backends=["numpy"])
    assert of_backend(report, "expected")[0].verdict == "fail"


def test_an_accuracy_is_within_another_that_allows_as_much() -> None:
    base = Accuracy("float32", {"tanh": Error(2.0, absolute=1e-8)})

    def of_tanh(ulp: float, absolute: float) -> Accuracy:
        return replace(base, functions={"tanh": Error(ulp, absolute=absolute)})

    assert base.within(base)
    assert base.within(replace(of_tanh(3.0, 1e-8), factor_unit=1e-4))
    assert not replace(base, factor_unit=1e-4).within(base)
    assert not of_tanh(2.0, 1e-7).within(base)
    assert not base.within(of_tanh(1.0, 1e-8))
    assert not base.within(of_tanh(2.0, 0.0))
