"""`verify --write-inputs`: batches for somebody's own framework, and what it made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401 - gives NumPy the name bfloat16
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import rnn_parity
from rnn_parity.runs import verify
from rnn_parity_core import Array, FileError, UsageError
from rnn_parity_reports.results import Report, read_report_document
from support import honest

torch = pytest.importorskip("torch")

Cli = Callable[..., tuple[int, str, str]]
Outcome = dict[str, Array]


@pytest.fixture
def lstm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give an LSTM of PyTorch's as it constructs one, saved as m.pt."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    made = torch.nn.LSTM(4, 5, batch_first=True)
    torch.save(made.state_dict(), "m.pt")
    return made


def production(lstm: Any, arrays: dict[str, Array], wrong: float = 0.0) -> Outcome:
    """Compute both batches as somebody would in PyTorch, by a layer that may be off."""
    made: Outcome = {}
    with torch.no_grad():
        lstm.weight_hh_l0[2, 3] *= 1 + wrong
        for of in ("", "probe."):
            x, h, c = (
                torch.from_numpy(arrays[f"{of}{name}"].copy())
                for name in ("inputs", "initial_h", "initial_c")
            )
            y, (h, c) = lstm(x, (h, c))
            named = {"outputs": y, "final_h": h, "final_c": c}
            made |= {f"{of}{name}": array.numpy() for name, array in named.items()}
    return made


def verdicts(report: Report) -> list[str]:
    """Give those of what is expected: of the batch, and of the probe."""
    return [r.verdict for r in report.results if r.backend == "expected"]


@pytest.mark.parametrize("name", ["x.npz", "x.safetensors"])
def test_what_production_makes_of_both_batches_is_judged(
    name: str, lstm: Any, command_line: Cli
) -> None:
    status, said, _ = command_line("verify", "m.pt", "--write-inputs", name)
    assert status == 0
    assert f"wrote {name}: inputs [4, 16, 4], initial_h [1, 4, 5]" in said
    assert "probe.inputs [2100, 1, 4]" in said
    last = said.strip().rpartition("\n")[2]
    assert last.startswith("next  run your framework on both batches")
    assert last.endswith(f"rnn-parity verify m.pt --inputs {name} --expected FILE")
    assert not Path("parity-report").exists()
    arrays = load_file(name) if name.endswith("s") else dict(np.load(name))
    np.savez("y.npz", **production(lstm, arrays))
    ask = ("--inputs", name, "--expected", "y.npz", "--backends", "numpy")
    assert command_line("verify", "m.pt", *ask)[0] == 0
    report = read_report_document(Path("parity-report"))
    assert verdicts(report) == ["pass", "pass"]
    assert [result.case for result in report.results[::2]] == [
        case.id for case in report.cases
    ]
    assert report.cases[1].probe


def test_a_probe_shows_what_the_batch_does_not(lstm: Any) -> None:
    arrays = rnn_parity.write_inputs("m.pt", "x.npz")
    wrong = production(lstm, arrays, wrong=1e-4)
    report = rnn_parity.verify(
        "m.pt", inputs=arrays, expected=wrong, backends=["numpy"], out="r"
    )
    assert verdicts(report) == ["pass", "fail"]
    assert report.exit_status == 1


def test_either_batch_may_be_left_out(lstm: Any) -> None:
    arrays = rnn_parity.write_inputs("m.pt", "x.npz")
    every = production(lstm, arrays)
    for part in ({"outputs"}, {"probe.final_h"}, {"probe.outputs", "final_c"}):
        some = {name: every[name] for name in part}
        report = rnn_parity.verify(
            "m.pt", inputs="x.npz", expected=some, backends=["numpy"]
        )
        assert verdicts(report) == ["pass"] * len(part)
        assert report.exit_status == 0


@pytest.mark.usefixtures("lstm")
def test_a_batch_of_ones_own_is_written_with_the_probe() -> None:
    own = np.ones((2, 3, 4), np.float32)
    ragged = {"inputs": own, "lengths": np.array([3, 1])}
    arrays = rnn_parity.write_inputs("m.pt", "x.npz", inputs=ragged)
    assert [*arrays["lengths"]] == [3, 1]
    assert np.array_equal(arrays["inputs"], own)
    seeded = rnn_parity.write_inputs("m.pt", "z.npz")
    assert np.array_equal(arrays["probe.inputs"], seeded["probe.inputs"])
    again = rnn_parity.verify("m.pt", inputs="x.npz", backends=["numpy"])
    assert [case.probe for case in again.cases] == [False, True]


@pytest.mark.usefixtures("lstm")
def test_a_probe_of_somebody_else_is_a_batch_as_any_other() -> None:
    arrays = rnn_parity.write_inputs("m.pt", "x.npz")
    other = {**arrays, "probe.inputs": arrays["probe.inputs"][:, ::-1] / 2}
    report = rnn_parity.verify("m.pt", inputs=other, backends=["numpy"])
    assert [case.probe for case in report.cases] == [False, False]
    assert report.exit_status == 0
    same = {f"probe.{name}": arrays[name] for name in ("inputs", "initial_h")}
    twice = {"inputs": arrays["inputs"], "initial_h": arrays["initial_h"], **same}
    assert len(rnn_parity.verify("m.pt", inputs=twice, backends=["numpy"]).cases) == 1


@pytest.mark.usefixtures("lstm")
def test_what_is_too_large_to_probe_is_written_without(
    monkeypatch: pytest.MonkeyPatch, command_line: Cli
) -> None:
    monkeypatch.setattr("rnn_parity_core.cases.MAX_ELEMENTS", 5000)
    status, said, _ = command_line("verify", "m.pt", "--write-inputs", "x.npz")
    assert status == 0
    assert "a batch that shows every weight would be too large" in said
    assert "next  run your framework on it, from these initial states" in said
    assert set(np.load("x.npz")) == {"inputs", "initial_h", "initial_c"}


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (("x.npy",), "x.npy: the name must end in .npz or .safetensors"),
        (("x.npz", "--expected", "y.npz"), "--write-inputs runs nothing; leave out"),
        (("x.npz", "--backends", "numpy"), "--write-inputs runs nothing; leave out"),
        (("x.npz", "--python", "numpy=x"), "--write-inputs runs nothing; leave out"),
        (("m.safetensors",), "m.safetensors is what the batch is made of; choose"),
        (("own.npz", "--inputs", "own.npz"), "own.npz is what the batch is made of"),
    ],
)
def test_what_cannot_be_written_is_said_in_a_line(
    ask: tuple[str, ...], words: str, lstm: Any, command_line: Cli
) -> None:
    weights = {n: a.detach().numpy() for n, a in lstm.state_dict().items()}
    save_file(weights, "m.safetensors")
    np.savez("own.npz", inputs=np.ones((1, 2, 4), np.float32))
    before = Path("m.safetensors").read_bytes(), Path("own.npz").read_bytes()
    status, said, trouble = command_line(
        "verify", "m.safetensors", "--write-inputs", *ask
    )
    assert (status, said) == (2, "")
    assert trouble.startswith(f"rnn-parity: {words}")
    assert trouble.count("\n") == 1
    assert (Path("m.safetensors").read_bytes(), Path("own.npz").read_bytes()) == before
    with pytest.raises(FileError, match="cannot write"):
        rnn_parity.write_inputs("m.safetensors", "own.npz/x.npz")


def test_bfloat16_is_for_safetensors_alone(lstm: Any) -> None:
    torch.save(lstm.to(torch.bfloat16).state_dict(), "half.pt")
    with pytest.raises(UsageError, match=r"\.npz has no bfloat16; write \.safetensors"):
        rnn_parity.write_inputs("half.pt", "x.npz")
    arrays = rnn_parity.write_inputs("half.pt", "x.safetensors")
    assert arrays["probe.inputs"].dtype == np.dtype("bfloat16")


@pytest.mark.usefixtures("lstm")
def test_a_probe_that_was_not_given_has_nothing_expected_of_it() -> None:
    arrays = rnn_parity.write_inputs("m.pt", "x.npz")
    batch = {name: a for name, a in arrays.items() if not name.startswith("probe.")}
    problem = verify.plan("m.pt", inputs=batch).problems[1]
    expected = {"probe.outputs": honest(problem)["outputs"]}
    words = "has probe.outputs, and the inputs have no probe.inputs; give the file that"
    with pytest.raises(UsageError, match=words):
        rnn_parity.verify("m.pt", inputs=batch, expected=expected)
    with pytest.raises(
        UsageError, match="the probe in what was given: outputs has dtyp"
    ):
        rnn_parity.verify(
            "m.pt", inputs=arrays, expected={"probe.outputs": np.ones((1, 1, 5))}
        )
