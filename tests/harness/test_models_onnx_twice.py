"""What an ONNX model says twice is refused by its name; what ONNX allows is read."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")

from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from rnn_parity.models.read import read
from rnn_parity_core import Array, FileError

Refused = Callable[..., str]
H = 2
ARRAYS: dict[str, Array] = {
    "W": np.ones((1, 4 * H, 3), "float32"),
    "R": np.ones((1, 4 * H, H), "float32"),
    "S": np.ones((1, 1, H), "float32"),
}


def stored(name: str) -> TensorProto:
    return numpy_helper.from_array(ARRAYS[name], name)


def constant(name: str, **values: Any) -> NodeProto:
    return helper.make_node("Constant", [], [name], **values or {"value": stored(name)})


def node(kind: str, given: str, made: str, **attributes: Any) -> NodeProto:
    return helper.make_node(kind, given.split(), made.split(), **attributes)


def model(
    nodes: Iterable[NodeProto] = (),
    initializers: Iterable[TensorProto] = (*map(stored, "WRS"),),
    x: str = "X",
    inputs: str = "X",
) -> ModelProto:
    """Make a model of one LSTM whose initial state is `S`, and of nodes before it."""
    given = [x, "W", "R", "", "", "S"]
    lstm = helper.make_node("LSTM", given, ["Y"], name="it", hidden_size=H)
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
        for names in (inputs.split(), ["Y"])
    ]
    graph = helper.make_graph([*nodes, lstm], "g", *ends, [*initializers])
    return helper.make_model(graph)


def sparse(name: str) -> ModelProto:
    made = model()
    values = numpy_helper.from_array(np.ones(1, "float32"), name)
    places = numpy_helper.from_array(np.zeros(1, "int64"))
    tensor = helper.make_sparse_tensor(values, places, [1, 1, H])
    made.graph.sparse_initializer.append(tensor)
    return made


def attribute(of: NodeProto, name: str, **changes: Any) -> ModelProto:
    """Change a node's attribute, and give the model."""
    for one in of.attribute:
        for field, value in changes.items() if one.name == name else ():
            setattr(one, field, value)
    return model([of])


def again(of: NodeProto) -> ModelProto:
    of.attribute.append(of.attribute[0])
    return model([of])


def numbers(**fields: Any) -> TensorProto:
    """Give `W` with numbers in more fields than one."""
    tensor = stored("W")
    for field, values in fields.items():
        if field == "raw_data":
            tensor.raw_data = values
        else:
            getattr(tensor, field).extend(values)
    return tensor


def with_numbers(tensor: TensorProto) -> ModelProto:
    return model(initializers=[tensor, stored("R"), stored("S")])


def typed() -> TensorProto:
    tensor = TensorProto(name="W", data_type=TensorProto.FLOAT, dims=ARRAYS["W"].shape)
    tensor.float_data.extend(ARRAYS["W"].ravel())
    tensor.double_data.extend(ARRAYS["W"].ravel())
    return tensor


def defined_anew() -> ModelProto:
    made = model()
    function = helper.make_function(
        "", "LSTM", ["X"], ["Y"], [node("Identity", "X", "Y")], made.opset_import
    )
    made.functions.append(function)
    return made


def ring() -> list[NodeProto]:
    return [node("Tanh", "a X", "b"), node("Add", "b b", "c"), node("Tanh", "c", "a")]


TWICE: dict[str, tuple[str, Callable[[], ModelProto]]] = {
    "two initializers": (
        "two tensors of one name, 'S'",
        lambda: model(initializers=map(stored, "WRSS")),
    ),
    "an initializer and a Constant": (
        "two tensors of one name, 'W'",
        lambda: model([constant("W")]),
    ),
    "two Constants": (
        "two tensors of one name, 'W'",
        lambda: model([constant("W")] * 2, map(stored, "RS")),
    ),
    "two nodes": (
        "two tensors of one name, 'a'",
        lambda: model([node("Tanh", "X", "a"), node("Relu", "X", "a")], x="a"),
    ),
    "one node": (
        "two tensors of one name, 'a'",
        lambda: model([node("Split", "X", "a a")], x="a"),
    ),
    "a node and an input": (
        "two tensors of one name, 'X'",
        lambda: model([node("Tanh", "Z", "X")], inputs="X Z"),
    ),
    "two inputs": ("two tensors of one name, 'X'", lambda: model(inputs="X X")),
    "a sparse initializer": ("two tensors of one name, 'S'", lambda: sparse("S")),
    "two values of a Constant": (
        "what makes its 'a' has two values, value_float and value_int",
        lambda: model([constant("a", value_float=1.0, value_int=1)]),
    ),
    "a Constant's value": (
        "two attributes of one name, 'value'",
        lambda: again(constant("a", value=stored("W"))),
    ),
    "an attribute": (
        "what makes its 'a' has two attributes of one name, 'axis'",
        lambda: again(node("Softmax", "X", "a", axis=1)),
    ),
    "kinds of an attribute": (
        "what makes its 'a' has an attribute of two kinds, 'axis'",
        lambda: attribute(node("Softmax", "X", "a", axis=1), "axis", f=1.0),
    ),
    "an attribute of another kind": (
        "what makes its 'a' has an attribute of two kinds, 'axis'",
        lambda: attribute(node("Softmax", "X", "a", axis=1), "axis", type=1),
    ),
    "raw and typed numbers": (
        "its 'W' has numbers in float_data and in raw_data",
        lambda: with_numbers(numbers(float_data=[1.0] * 24)),
    ),
    "two types of numbers": (
        "its 'W' has numbers in double_data and in float_data",
        lambda: with_numbers(typed()),
    ),
    "numbers of a Constant": (
        "its 'W' has numbers in int64_data and in raw_data",
        lambda: model(
            [constant("W", value=numbers(int64_data=[1]))], map(stored, "RS")
        ),
    ),
    "numbers of a state's value": (
        "its 'S' has numbers in float_data and in raw_data",
        lambda: model(
            [node("ConstantOfShape", "X", "S", value=numbers(float_data=[1.0]))],
            map(stored, "WR"),
        ),
    ),
    "an operator": ("defines ONNX' own 'LSTM' anew", defined_anew),
    "a circle of one": ("its 'Y' is made of itself", lambda: model(x="Y")),
    "a circle": ("is made of itself", lambda: model(ring(), x="a")),
}


@pytest.mark.parametrize("name", TWICE)
def test_what_a_model_says_twice_is_refused_by_its_name(
    name: str, refused: Refused
) -> None:
    words, make = TWICE[name]
    assert refused(make().SerializeToString(), "m.onnx", words)


def path_of(made: ModelProto, folder: Path) -> Path:
    (folder / "m.onnx").write_bytes(made.SerializeToString())
    return folder / "m.onnx"


LEGAL: dict[str, Callable[[], ModelProto]] = {
    "initializers": model,
    "initializers that are inputs, as before IR 4": lambda: model(inputs="X W R S"),
    "Constants": lambda: model(map(constant, "WRS"), []),
    "Constants after what reads them": lambda: ModelProto.FromString(
        reordered().SerializeToString()
    ),
    "outputs without a name": lambda: model([node("Split", "X", " a ", num_outputs=3)]),
    "one tensor into several nodes": lambda: model(
        [node("Add", "X X", "a"), node("Add", "a X", "b")], x="b"
    ),
    "a sparse initializer": lambda: sparse("other"),
    "numbers of a type": lambda: with_numbers(
        helper.make_tensor("W", TensorProto.FLOAT, (1, 8, 3), ARRAYS["W"].ravel())
    ),
}


def reordered() -> ModelProto:
    made = model(map(constant, "WRS"), [])
    nodes = [*made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(reversed(nodes))
    return made


@pytest.mark.parametrize("name", LEGAL)
def test_what_onnx_allows_is_read(name: str, tmp_path: Path) -> None:
    found = read(path_of(LEGAL[name](), tmp_path))
    assert (found.weights["layer0.forward.kernel"] == 1).all()
    assert (found.initial["initial_h"] == 1).all()


def test_a_state_in_a_sparse_initializer_is_not_taken_for_an_input(
    tmp_path: Path,
) -> None:
    made = sparse("S")
    del made.graph.initializer[2]
    with pytest.raises(FileError, match=r"it has S \(initial_h: "):
        read(path_of(made, tmp_path))


def test_a_state_that_somebodys_own_operator_makes_is_not_followed(
    tmp_path: Path,
) -> None:
    own = node("Identity", "C", "S", domain="com.acme")
    made = model([constant("C", value=stored("S")), own], map(stored, "WR"))
    with pytest.raises(FileError, match=r"it has S \(initial_h: "):
        read(path_of(made, tmp_path))


def test_names_that_are_no_text_are_refused_or_read(tmp_path: Path) -> None:
    whole = model([constant("aaaa", value_float=1.0)])
    whole.graph.node[0].attribute[0].name = "bbbb"
    whole.graph.sparse_initializer.extend(sparse("cccc").graph.sparse_initializer)
    data = whole.SerializeToString()
    for name in (b"aaaa", b"bbbb", b"cccc"):
        (tmp_path / "m.onnx").write_bytes(data.replace(name, b"\xff\xfe\xfd\xfc"))
        assert read(tmp_path / "m.onnx").case.units == H


@pytest.mark.parametrize(
    "changes",
    [
        {"data_type": TensorProto.UNDEFINED},
        {"data_type": TensorProto.STRING},
        {"data_location": TensorProto.EXTERNAL},
        {"dims": [2**40, 2**40]},
        {"dims": [-1]},
    ],
)
@pytest.mark.parametrize("kind", ["Constant", "ConstantOfShape"])
def test_a_state_whose_numbers_are_not_there_is_refused(
    kind: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    tensor = numpy_helper.from_array(np.ones(1, "float32"))
    for field, value in changes.items():
        if field == "dims":
            tensor.dims[:] = value
        else:
            setattr(tensor, field, value)
    given = "" if kind == "Constant" else "X"
    made = model([node(kind, given, "S", value=tensor)], map(stored, "WR"))
    with pytest.raises(FileError, match=r"it has S \(initial_h: "):
        read(path_of(made, tmp_path))
