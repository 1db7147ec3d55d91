"""What enters a node of an ONNX model beside inputs and weights is used, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")

from onnx import NodeProto, TensorProto, helper, numpy_helper

import rnn_parity
from rnn_parity.models.read import read, saved_layers
from rnn_parity.models.settle import settle
from rnn_parity.models.stack import stacked
from rnn_parity_core import Array, FileError, ParityError, UsageError

FILES = Path(__file__).parent / "files"
H = D = 5


def drawn(*shape: int) -> Array:
    return np.random.default_rng(3).normal(size=shape).astype("float32")


def model(
    folder: Path,
    states: dict[int, str],
    nodes: list[NodeProto],
    *,
    kind: str = "LSTM",
    ways: int = 1,
    constants: dict[str, Array] | None = None,
    **attributes: Any,
) -> Path:
    """Write a model of one recurrent node; `states` are its inputs by their place."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    arrays = {"W": drawn(ways, gates * H, D), "R": drawn(ways, gates * H, H)}
    arrays |= constants or {}
    inputs = ["X", "W", "R", ""]
    for at, name in states.items():
        inputs += [""] * (at + 1 - len(inputs))
        inputs[at] = name
    if ways > 1:
        attributes["direction"] = "bidirectional"
    if kind == "GRU":
        attributes.setdefault("linear_before_reset", 1)
    node = helper.make_node(kind, inputs, ["Y"], name="it", hidden_size=H, **attributes)
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in ("X", "S")
    ]
    graph = helper.make_graph(
        [*nodes, node],
        "g",
        given,
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    path = folder / "m.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


HS = drawn(1, 1, H)
SHAPE = helper.make_node("Shape", ["X"], ["shape"])
ROWS = drawn(1, 3, H)


def filled(name: str, value: float) -> NodeProto:
    tensor = numpy_helper.from_array(np.array([value], "float32"))
    return helper.make_node("ConstantOfShape", ["shape"], [name], value=tensor)


def expand(name: str, out: str) -> NodeProto:
    return helper.make_node("Expand", [name, "shape"], [out])


def test_a_state_that_pytorch_learned_is_the_batchs_where_none_is_given() -> None:
    path, x = FILES / "h0.onnx", np.load(FILES / "h0.x.npy")
    found = read(path)
    assert {*found.initial} == {"initial_h", "initial_c"}
    assert found.stated == ("h0", "c0")
    said = "initial_h and initial_c are the file's own, h0, c0, where you give none"
    assert said in found.notes
    expected = FILES / "h0.out.npy"
    right = rnn_parity.verify(path, inputs=x, expected=expected, backends=["numpy"])
    assert [of.verdict for of in right.results] == ["pass"] * 3
    zeros = {f"initial_{s}": np.zeros((1, 3, 10), "float32") for s in "hc"}
    wrong = rnn_parity.verify(
        path, inputs={"inputs": x, **zeros}, expected=expected, backends=["numpy"]
    )
    verdicts = {of.backend: of.verdict for of in wrong.results}
    assert verdicts == {"numpy": "pass", "expected": "fail"}
    ignored = rnn_parity.verify(
        path, ignore=["h0", "c0"], inputs=x, expected=expected, backends=["numpy"]
    )
    verdicts = {of.backend: of.verdict for of in ignored.results}
    assert verdicts == {"numpy": "pass", "expected": "fail"}


def test_states_of_a_file_are_not_dropped_by_convert(tmp_path: Path) -> None:
    out = tmp_path / "t.safetensors"
    with pytest.raises(FileError, match=r"leave them out by --ignore .*: h0, c0"):
        rnn_parity.convert(FILES / "h0.onnx", "torch", out)
    assert not out.exists()
    report = rnn_parity.convert(
        FILES / "h0.onnx", "canonical", out, ignore=["h0", "c0"]
    )
    assert [of.verdict for of in report.results] == ["pass", "pass"]


@pytest.mark.parametrize(
    ("nodes", "constants", "state"),
    [
        ([], {"s": HS}, HS),
        ([expand("s", "e")], {"s": HS}, HS),
        ([expand("s", "e")], {"s": HS[0]}, HS),
        ([expand("s", "e")], {"s": HS[0, 0]}, HS),
        ([filled("e", 0.25)], {}, np.full((1, 1, H), 0.25)),
        (
            [filled("f", 0.25), helper.make_node("Slice", ["f", "a", "b"], ["e"])],
            {},
            np.full((1, 1, H), 0.25),
        ),
        ([helper.make_node("Identity", ["s"], ["e"])], {"s": ROWS}, ROWS),
        ([], {"s": np.repeat(HS, 3, axis=1)}, HS),
    ],
    ids=range(8),
)
def test_a_state_of_constants_is_followed(
    nodes: list[NodeProto], constants: dict[str, Array], state: Array, tmp_path: Path
) -> None:
    name = "e" if nodes else "s"
    path = model(tmp_path, {5: name}, [SHAPE, *nodes], constants=constants)
    found = read(path)
    assert {*found.initial} == {"initial_h"}
    assert (found.initial["initial_h"] == state).all()
    assert found.initial["initial_h"].shape == state.shape
    assert rnn_parity.verify(path, backends=["numpy"]).exit_status == 0


def test_the_directions_states_are_put_together(tmp_path: Path) -> None:
    joined = helper.make_node("Concat", ["a", "b"], ["e"], axis=0)
    one, other = drawn(1, 1, H), -drawn(1, 1, H)
    apart = {"constants": {"a": one, "b": other}, "ways": 2}
    found = read(model(tmp_path, {5: "e"}, [joined], **apart))  # type: ignore[arg-type]
    assert (found.initial["initial_h"] == np.concatenate([one, other])).all()
    zeros = [SHAPE, filled("a", 0), filled("b", 0), joined]
    assert not read(model(tmp_path, {5: "e"}, zeros, ways=2)).initial
    assert read(FILES / "tf2onnx_bi.onnx").case.direction == "bidirectional"


def test_the_axes_of_layout_1_are_followed(tmp_path: Path) -> None:
    rows = drawn(3, 2, H)  # [B, d, H]
    options = {"ways": 2, "layout": 1, "kind": "GRU"}
    path = model(tmp_path, {5: "s"}, [], constants={"s": rows}, **options)
    found = read(path)
    assert (found.initial["initial_h"] == rows.swapaxes(0, 1)).all()
    problems = rnn_parity.verify(path, backends=["numpy"])
    assert problems.exit_status == 0
    assert problems.results[0].case.startswith("gru-dynamic-B3-")


def test_states_for_other_rows_than_the_inputs_are_refused(tmp_path: Path) -> None:
    path = model(tmp_path, {5: "s"}, [], constants={"s": ROWS})
    x = drawn(2, 4, D)
    with pytest.raises(UsageError, match="initial_h for 3 rows, and the inputs have 2"):
        rnn_parity.verify(path, inputs=x, backends=["numpy"])
    given = {"inputs": x, "initial_h": drawn(1, 2, H)}
    assert rnn_parity.verify(path, inputs=given, backends=["numpy"]).exit_status == 0


def test_states_of_a_stack_are_each_layers_own(tmp_path: Path) -> None:
    (first,) = saved_layers(model(tmp_path, {}, []))
    (second,) = saved_layers(model(tmp_path, {5: "s"}, [], constants={"s": HS}))
    found = settle(stacked([first, second]))
    assert not found.initial["initial_h"][0].any()
    assert (found.initial["initial_h"][1] == HS[0]).all()
    assert not settle(stacked([first, second]), ignore=["s"]).initial


CUT = [SHAPE, helper.make_node("Slice", ["s", "a", "b"], ["e"])]
MADE = [SHAPE, helper.make_node("Mul", ["s", "s"], ["e"])]
OTHERS = [helper.make_node("MatMul", ["S", "s"], ["e"])]


@pytest.mark.parametrize("nodes", [CUT, MADE], ids=["cut", "made"])
def test_a_state_of_constants_that_is_not_followed_is_refused_by_its_name(
    nodes: list[NodeProto], tmp_path: Path
) -> None:
    path = model(tmp_path, {5: "e"}, nodes, constants={"s": ROWS})
    with pytest.raises(FileError, match=r"it has e \(initial_h: "):
        read(path)
    assert not read(path, ignore=["e"]).initial


@pytest.mark.parametrize("name", ["e", "S"])
def test_a_state_of_the_models_inputs_is_yours_to_give(
    name: str, tmp_path: Path
) -> None:
    found = read(model(tmp_path, {5: name}, OTHERS, constants={"s": drawn(H, H)}))
    said = "assumed: initial_h, which comes of the model's inputs, is zeros where you "
    assert any(note.startswith(said) for note in found.notes)


def test_lengths_in_a_file_are_refused_and_those_of_inputs_said(tmp_path: Path) -> None:
    lengths = np.array([2, 1], "int32")
    path = model(tmp_path, {4: "n"}, [], constants={"n": lengths})
    with pytest.raises(FileError, match=r"it has n \(sequence_lens \[2, 1\]\)"):
        read(path)
    assert read(path, ignore=["n"]).case.units == H
    given = read(model(tmp_path, {4: "S"}, []))
    assert any("sequence_lens, which comes of" in note for note in given.notes)


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (r"initial_h has shape \[1, 4\], expected", drawn(1, 1, 4)),
        ("initial_h is float64", HS.astype("float64")),
        ("initial_h has 1 of 5 elements NaN", np.where(HS[0, 0, 0] == HS, np.nan, HS)),
        (r"it has s \(initial_h", drawn(0, 1, H)),
        (r"it has s \(initial_h", drawn(1, 1, 1, H)),
    ],
)
def test_a_state_that_is_none_of_the_layers_is_refused(
    words: str, state: Array, tmp_path: Path
) -> None:
    with pytest.raises(FileError, match=words):
        read(model(tmp_path, {5: "s"}, [], constants={"s": state}))


@pytest.mark.parametrize(
    ("words", "kind", "attributes"),
    [
        ("it has clip 5.0, which", "LSTM", {"clip": 5.0}),
        ("it has input_forget 1, which", "LSTM", {"input_forget": 1}),
        ("it has swish 2, which", "GRU", {"swish": 2}),
        ("it has linear_before_reset 1, which", "LSTM", {"linear_before_reset": 1}),
        (
            r"one of its activations is elu\(1\); computed",
            "GRU",
            {"activations": ["Elu", "Tanh"]},
        ),
        ("it has alpha or beta, and no", "RNN", {"activation_alpha": [0.5]}),
    ],
)
def test_an_attribute_that_is_not_used_is_refused(
    words: str, kind: str, attributes: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ParityError, match=words):
        read(model(tmp_path, {}, [], kind=kind, **attributes))


def test_an_input_that_an_operator_has_not_is_refused(tmp_path: Path) -> None:
    path = model(tmp_path, {6: "s"}, [], kind="GRU", constants={"s": HS})
    with pytest.raises(FileError, match="it has 7 inputs, expected at most 6"):
        read(path)
