"""A layer of one's own, its inputs, and what is expected: as commands and in Python."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace
from safetensors.numpy import save_file

import rnn_parity
from rnn_parity.models import canonical
from rnn_parity.models.formats import Writer, formats
from rnn_parity.models.layer import Recurrent
from rnn_parity.runs import verify
from rnn_parity.runs.registry import known_backends
from rnn_parity_core import Array, FileError, UsageError
from rnn_parity_fixtures.faults import plant
from rnn_parity_reports.results import Report, Result, read_report_document
from support import honest

Cli = Callable[..., tuple[int, str, str]]
Outcome = dict[str, Array]

SOME = ["outputs"], ["final_h"], ["outputs", "final_c"]


class Own(NamedTuple):
    """A model in a file, inputs for it, and what is right for them."""

    model: str
    inputs: dict[str, Array]
    right: Outcome


def uniform(*shape: int) -> Array:
    drawn = np.random.default_rng(3).uniform(-1, 1, size=shape)
    return drawn.astype("float32")


def forward() -> dict[str, Array]:
    """Give a state_dict of nn.LSTM whose two biases are halves of one."""
    bias = uniform(20) / 2
    return {
        "weight_ih_l0": uniform(20, 4),
        "weight_hh_l0": uniform(20, 5)[::-1].copy(),
        "bias_ih_l0": bias,
        "bias_hh_l0": bias,
    }


def made(inputs: dict[str, Array], weights: dict[str, Array]) -> Outcome:
    """Give what a right production makes of inputs, with weights of PyTorch's names."""
    save_file(weights, "made.safetensors")
    return honest(verify.plan("made.safetensors", inputs=inputs).problems[0])


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    monkeypatch.chdir(tmp_path)
    save_file(forward(), "m.safetensors")
    inputs = {
        "inputs": uniform(3, 7, 4),
        "initial_h": uniform(1, 3, 5) / 2,
        "initial_c": uniform(1, 3, 5) / 3,
        "lengths": np.array([7, 4, 0]),  # int64, as NumPy makes them
    }
    return Own("m.safetensors", inputs, made(inputs, forward()))


def judged(own: Own, expected: Any, **ask: Any) -> Result:
    ask = {"inputs": own.inputs, "backends": ["numpy"], **ask}
    (result,) = [
        result
        for result in rnn_parity.verify(own.model, expected=expected, **ask).results
        if result.backend == "expected"
    ]
    return result


def test_what_is_expected_is_one_more_backend_beside_the_others(
    own: Own, command_line: Cli
) -> None:
    np.savez_compressed("x.npz", **own.inputs)
    save_file(own.right, "y.safetensors")
    ask = ["--inputs", "x.npz", "--expected", "y.safetensors", "--backends", "numpy"]
    status, said, _ = command_line("verify", own.model, *ask, "--out", "r")
    assert status == 0
    assert "found the layer: lstm, 1 layer, forward, 4 → 5 units, float32" in said
    assert "on    3 rows of 7 steps, of lengths from 0 to 7, of x.npz" in said
    report = read_report_document(Path("r"))
    assert "of x.npz; and 2,100 rows of 1 step that show every weight" in said
    first, second, probe = report.results
    assert (first.verdict, second.verdict, probe.verdict) == ("pass", "pass", "pass")
    assert (second.backend, probe.backend) == ("expected", "numpy")
    assert second.case.startswith("lstm-variable_input-B3-T7-D4-H5-zerolength-f32-w")
    assert second.reproduce == f"rnn-parity verify {own.model} {' '.join(ask)}"
    assert [(pair.first, pair.second) for pair in report.pairs] == [
        ("numpy", "expected")
    ]
    assert "ulp" in str(report.backends["expected"].settings["tanh, held to"])
    assert "rnn-parity verify m.safetensors --inputs x.npz" in Path(
        "r/report.json"
    ).read_text(encoding="utf-8")
    # The saved run is judged again by what was declared.
    assert command_line("compare", "r")[0] == 0


@pytest.mark.parametrize("names", SOME)
def test_a_part_is_judged_for_what_is_there_and_said_to_be_one(
    names: list[str], own: Own
) -> None:
    result = judged(own, {name: own.right[name] for name in names})
    assert result.verdict == "pass"
    assert list(result.figures) == names
    lacks = ", ".join(n for n in own.right if n not in names)
    assert (
        f"expected has no {lacks}: nothing is said of what it lacks" in result.not_shown
    )
    assert bool(result.sensitivity) == ("outputs" in names)


@pytest.mark.parametrize("name", ["outputs", "final_h", "final_c"])
def test_an_element_that_is_off_fails_alone_or_with_others(name: str, own: Own) -> None:
    for given in (own.right, {name: own.right[name]}):
        wrong = given[name].copy()
        wrong[0, 0, 0] += 1e-3
        result = judged(own, {**given, name: wrong})
        assert result.verdict == "fail"
        assert result.detail.startswith(f"{name}: ")


def gates(array: Array) -> Array:
    i, f, g, o = np.split(array, 4)
    return np.concatenate([i, g, f, o])


def planted() -> dict[str, tuple[Callable[[Own], Outcome], str]]:
    def padded(own: Own) -> Outcome:
        inputs = {**own.inputs, "lengths": np.array([7, 7, 7])}
        last = made(inputs, forward())
        return {**last, "outputs": own.right["outputs"]}

    def swapped(own: Own) -> Outcome:
        h, c = own.right["final_h"], own.right["final_c"]
        return {**own.right, "final_h": c, "final_c": h}

    def ordered(own: Own) -> Outcome:
        return made(own.inputs, {n: gates(a) for n, a in forward().items()})

    def shifted(own: Own) -> Outcome:
        return {
            name: np.roll(a, 1, axis=0 if name == "outputs" else 1)
            for name, a in own.right.items()
        }

    return {
        "gates": (ordered, "gate order i, g, f, o instead of i, f, g, o"),
        "h and c": (swapped, "final h and c swapped"),
        "rows": (shifted, "rows of outputs and states shifted by one"),
        "padding": (padded, "final states of the last step, padding included"),
    }


@pytest.mark.parametrize("name", planted())
def test_what_was_done_instead_is_named(name: str, own: Own) -> None:
    plant_in, words = planted()[name]
    result = judged(own, plant_in(own))
    assert result.verdict == "fail"
    assert words in result.explanations


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("gates", "outputs"),
        ("gates", "final_h"),
        ("h and c", "final_h"),
        ("rows", "outputs"),
        ("padding", "final_h"),
    ],
)
def test_it_is_named_where_only_a_part_was_given(
    name: str, array: str, own: Own
) -> None:
    plant_in, words = planted()[name]
    result = judged(own, {array: plant_in(own)[array]})
    assert result.verdict == "fail"
    assert words in result.explanations


def test_weak_data_is_said_of_what_is_expected_too(own: Own) -> None:
    inputs = {"inputs": own.inputs["inputs"]}
    result = judged(own, made(inputs, forward()), inputs=inputs)
    assert "initial state is zero: an ignored initial state would not show" in (
        result.not_shown
    )


def test_a_number_that_is_none_fails(own: Own) -> None:
    result = judged(own, {"final_h": np.full((1, 3, 5), np.nan, "float32")})
    assert result.verdict == "fail"
    assert "final_h has 15 of 15 elements NaN" in result.detail


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"output": uniform(3, 7, 5)}, "output is not asked for; expected any of outp"),
        ({"outputs": uniform(7, 3, 5)}, "outputs has shape [7, 3, 5], expected [3, 7,"),
        ({"outputs": np.zeros((3, 7, 5))}, "has dtype float64, expected float32"),
        ({}, "nothing is there; expected any of outputs [3, 7, 5], final_h [1, 3, 5]"),
        ({"outputs": [[1.0], [1.0, 2.0]]}, "is a list, of which NumPy makes no array"),
    ],
)
def test_what_is_no_outcome_of_the_inputs_is_refused(
    expected: dict[str, Any], words: str, own: Own
) -> None:
    with pytest.raises(UsageError) as caught:
        judged(own, expected)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lengths": np.array([7, 8, 1])}, "lengths has elements outside of 0 to 7"),
        ({"lengths": np.array([7, -1, 1])}, "lengths has elements outside of 0 to 7"),
        ({"lengths": np.array([7.0, 1, 1])}, "lengths has dtype float64, expected int"),
        ({"lengths": np.array([7, 1])}, "lengths has shape [2], expected [3]"),
        ({"initial_h": uniform(3, 5)}, "initial_h has shape [3, 5], expected [1, 3,"),
        ({"inputs": uniform(3, 28)}, "no array 'inputs' of shape [B, T, D]"),
        ({"inputs": uniform(0, 7, 4)}, "B, T, D, H and L must each be at least 1"),
        ({"mask": np.ones(3)}, "mask is not asked for"),
        ({"layer0.forward.bias": uniform(20)}, "bias is for the model to say"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    change: dict[str, Array], words: str, own: Own
) -> None:
    with pytest.raises(UsageError) as caught:
        rnn_parity.verify(own.model, inputs={**own.inputs, **change})
    assert words in str(caught.value)


def test_what_is_expected_of_no_inputs_is_refused(own: Own) -> None:
    with pytest.raises(UsageError, match="give its inputs too"):
        judged(own, own.right, inputs=None)


def test_paths_and_arrays_are_the_same_but_for_the_command(own: Own) -> None:
    np.save("x.npy", own.inputs["inputs"])
    np.save("y.npy", own.right["outputs"])
    given = own.inputs["inputs"], own.right["outputs"]
    of_files, of_arrays = (
        rnn_parity.verify(own.model, inputs=x, expected=y, backends=["numpy"])
        for x, y in (("x.npy", Path("y.npy")), given)
    )
    assert [result.backend for result in of_files.results] == [
        *("numpy", "expected", "numpy")
    ]
    assert of_files.results[1].case == of_arrays.results[1].case
    assert of_files.results[1].verdict == of_arrays.results[1].verdict == "fail"
    assert of_arrays.results[1].reproduce == ""
    assert of_files.results[1].reproduce == (
        f"rnn-parity verify {own.model} --inputs x.npy --expected y.npy "
        "--backends numpy"
    )


def test_a_run_is_kept_only_where_a_folder_is_named(own: Own) -> None:
    before = set(Path.cwd().iterdir())
    rnn_parity.verify(own.model, backends="numpy")
    assert set(Path.cwd().iterdir()) == before
    rnn_parity.verify(own.model, backends=["numpy"], out="kept")
    assert Path("kept/report.html").is_file()


def converted(own: Own, to: str = "canonical") -> Report:
    return rnn_parity.convert(own.model, to, "new.safetensors")


def test_what_is_converted_is_certified_on_the_forms_own_backend(own: Own) -> None:
    seeded, probe = converted(own).results
    for result in (seeded, probe):
        assert (result.verdict, result.backend) == ("pass", "numpy")
    assert "-B4-T16-" in seeded.case
    assert "-probe-" in probe.case
    assert Path("new.safetensors").is_file()


def test_a_probe_alone_that_fails_keeps_a_file_from_being_written(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = verify.Plan.run

    def failing(self: verify.Plan, *args: Any, **options: Any) -> Report:
        report = run(self, *args, **options)
        seeded, probe = report.results
        return replace(report, results=[seeded, replace(probe, verdict="fail")])

    monkeypatch.setattr(verify.Plan, "run", failing)
    with pytest.raises(FileError, match="canonical does not compute "):
        converted(own)
    assert not Path("new.safetensors").exists()


def test_what_is_too_large_to_probe_is_said_and_verified_without(
    own: Own, monkeypatch: pytest.MonkeyPatch, command_line: Cli
) -> None:
    ask = ["verify", own.model, "--backends", "numpy", "--out", "r"]
    assert "of 1 step that show every weight" in command_line(*ask)[1]
    monkeypatch.setattr("rnn_parity_core.cases.MAX_ELEMENTS", 5000)
    status, said, _ = command_line(*ask)
    assert status == 0
    assert "a batch that shows every weight would be too large" in said
    assert len(read_report_document(Path("r")).results) == 1


def test_a_probe_is_computed_beside_any_batch(own: Own) -> None:
    ask: dict[str, Any] = {"backends": ["numpy"]}
    given, beside = rnn_parity.verify(own.model, inputs=own.inputs, **ask).results
    seeded, probe = rnn_parity.verify(own.model, **ask).results
    assert beside.case == probe.case
    assert (given.verdict, seeded.verdict, probe.verdict) == ("pass", "pass", "pass")
    for kind, change in probe.sensitivity.items():
        assert change is not None
        assert change < (seeded.sensitivity[kind] or 1)


def with_backend(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    numpy = known_backends()["numpy"]
    known = {"numpy": replace(numpy, **changes)}
    monkeypatch.setattr("rnn_parity.runs.registry.known_backends", lambda: known)


def test_nothing_is_written_of_what_its_backend_computes_otherwise(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = plant(known_backends()["numpy"], "one unit off by 1e-5")
    wrong = replace(wrong, name="numpy")
    monkeypatch.setattr(
        "rnn_parity.runs.registry.known_backends", lambda: {"numpy": wrong}
    )
    with pytest.raises(FileError, match="canonical does not compute "):
        converted(own)
    assert not Path("new.safetensors").exists()


def test_without_its_backend_it_is_written_and_said_not_to_be_certified(
    own: Own, monkeypatch: pytest.MonkeyPatch, command_line: Cli
) -> None:
    with_backend(monkeypatch, requires={"nonesuch_": "nonesuch"}, install="pip it")
    ask = ["--to", "canonical", "-o", "new.safetensors"]
    status, said, steps = command_line("convert", own.model, *ask)
    assert status == 0
    assert "not certified: numpy: nonesuch not installed; install with: pip it" in said
    assert "reading it back" in steps
    assert Path("new.safetensors").is_file()


def test_a_form_that_changes_a_bit_is_not_written(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lossy(layer: Recurrent) -> bytes:
        weights = {n: a + np.float32(1e-3) for n, a in layer.weights.items()}
        changed = Recurrent(layer.name, "canonical", layer.case, weights)
        return canonical.write(changed)

    wrong = {"canonical": Writer(".safetensors", lossy, "numpy")}
    monkeypatch.setattr("rnn_parity.runs.convert.writers", lambda: wrong)
    with pytest.raises(FileError, match=r"exactly: .* nothing was written"):
        converted(own)
    assert not Path("new.safetensors").exists()


def test_an_unknown_form_is_refused(own: Own) -> None:
    with pytest.raises(UsageError, match="unknown form 'tourch'; did you mean torch"):
        converted(own, "tourch")


def test_every_form_has_a_backend_that_certifies_it() -> None:
    assert {of.backend for of in formats().values()} <= known_backends().keys()
