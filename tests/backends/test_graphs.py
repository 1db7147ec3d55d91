"""Each framework's graph has the operations that it must have, and its loops."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from rnn_parity.runs.graphs import graphs
from rnn_parity.workers.process import Worker
from rnn_parity_core import Unsupported
from rnn_parity_core.graph import Graph, Part
from rnn_parity_fixtures import catalogue
from support import installed

Workers = Callable[[str], Worker]

SIZES = "B3-T4-D6-H5-f32-s1"
DECODING = "lstm-variable_output-B3-T4-D6-H5-V7-f32-s1"
BIG = "notebook-dynamic-f32"


@pytest.fixture
def drawn(workers: Workers) -> Callable[[str, str], Graph]:
    """Give a function that asks a backend for the graph of a case."""

    def asked(backend: str, case: str) -> Graph:
        info, worker = installed(backend), workers(backend)
        worker.load(info)
        problem = catalogue.build(catalogue.case_from_id(case))
        return worker.graph(backend, problem, 240)

    return asked


Ask = Callable[[str, str], Graph]


def ops(*parts: Part) -> list[str]:
    return [node.op for part in parts for node in part.nodes]


@pytest.mark.parametrize(
    ("backend", "form", "product", "tanh"),
    [
        ("tensorflow", "GraphDef", "MatMul", "Tanh"),
        ("tensorflow:v1", "GraphDef", "MatMul", "Tanh"),
        ("torch", "ExportedProgram", "aten.matmul.default", "aten.tanh.default"),
        ("jax", "jaxpr", "dot_general", "tanh"),
        ("jax:eager", "jaxpr", "dot_general", "tanh"),
    ],
)
def test_the_notebook_by_hand_is_four_products_and_two_tanh(
    backend: str, form: str, product: str, tanh: str, drawn: Ask
) -> None:
    graph = drawn(backend, "notebook-basic-f32")
    (whole,) = graph.parts
    assert graph.form == form
    assert (ops(whole).count(product), ops(whole).count(tanh)) == (4, 2)
    outputs = {node.label: node.type for node in whole.nodes if node.kind == "output"}
    size = "?" if backend == "tensorflow:v1" else "4"
    assert outputs == {
        "outputs": f"float32[{size},2,5]",
        "final_h": f"float32[1,{size},5]",
    }
    labels = {node.label for node in whole.nodes if node.kind == "input"}
    if not backend.startswith("tensorflow"):  # these hold weights in variables
        assert {"inputs", "initial_h", "layer0.forward.kernel"} <= labels


@pytest.mark.parametrize(
    ("backend", "loop", "product", "products"),
    [
        ("tensorflow", "While", "MatMul", 2),
        ("tensorflow:v1", "StatelessWhile", "MatMul", 1),  # of x and h side by side
        ("jax", "scan", "dot_general", 2),
        ("jax:eager", "scan", "dot_general", 2),
    ],
)
def test_a_loop_over_time_runs_a_body_that_is_a_part(
    backend: str, loop: str, product: str, products: int, drawn: Ask
) -> None:
    whole, *parts = drawn(backend, f"rnn_tanh-dynamic-{SIZES}").parts
    (node,) = [node for node in whole.nodes if node.op == loop]
    assert node.kind == "loop"
    assert {part.title for part in parts} == set(node.calls)
    (body,) = [part for part in parts if part.title.startswith("body")]
    assert ops(body).count(product) == products
    if backend.startswith("tensorflow"):
        (condition,) = [part for part in parts if part is not body]
        assert "Less" in ops(condition)


@pytest.mark.parametrize(
    ("case", "op"),
    [
        (f"rnn_tanh-static-{SIZES}", "aten.rnn_tanh_cell.default"),
        (f"lstm-dynamic-{SIZES}", "aten.lstm.input"),
        (f"gru-dynamic-{SIZES}", "aten.gru.input"),
    ],
)
def test_pytorch_shows_the_layer_or_the_cell_that_it_calls(
    case: str, op: str, drawn: Ask
) -> None:
    (whole,) = drawn("torch", case).parts
    assert ops(whole).count(op) == (4 if "static" in case else 1)


@pytest.mark.parametrize(
    ("words", "case"),
    [
        ("torch.export refuses: ", f"lstm-variable_input-{SIZES}"),
        ("the loop ends when all rows have stopped", DECODING),
        ("gradients are autograd's", "gru-dynamic-B3-T4-D6-H5-gradient-f32-s1"),
    ],
)
def test_pytorch_says_why_it_has_no_one_graph(
    words: str, case: str, drawn: Ask
) -> None:
    with pytest.raises(Unsupported, match=words):
        drawn("torch", case)


@pytest.mark.parametrize(
    ("backend", "loop"), [("tensorflow", "While"), ("jax", "while")]
)
def test_a_network_that_feeds_itself_is_a_loop_with_a_condition(
    backend: str, loop: str, drawn: Ask
) -> None:
    graph = drawn(backend, DECODING)
    (node,) = [n for part in graph.parts for n in part.nodes if n.op == loop]
    assert {title.split()[0] for title in node.calls} == {"condition", "body"}


def test_a_constant_of_over_64_bytes_is_stripped(drawn: Ask) -> None:
    graph = drawn("tensorflow:v1", BIG)
    (node,) = [n for n in graph.parts[0].nodes if n.stripped]
    # The initial value of the kernel, [3 + 5, 5] in float32.
    assert (node.op, node.value) == ("Const", "<stripped 160 bytes>")


CHANGED = """
import {framework}
from rnn_parity_backends.{module} import {owner}
from rnn_parity_backends.{module}.adapter import {name} as Changed

{owner}._Ops.tanh = lambda self, x: {cos}(x)
"""

JAX = {"framework": "jax", "module": "on_jax", "owner": "loops"}
JAX |= {"name": "JaxBackend", "cos": "jax.numpy.cos"}
TORCH = {"framework": "torch", "module": "on_torch", "owner": "cells"}
TORCH |= {"name": "TorchBackend", "cos": "torch.cos"}
KERAS = {"framework": "tensorflow", "module": "on_tensorflow", "owner": "operations"}
KERAS |= {"name": "KerasBackend", "cos": "tensorflow.cos"}


@pytest.mark.parametrize(
    ("backend", "names", "op"),
    [
        ("jax", JAX, "cos"),
        ("jax:eager", JAX, "cos"),
        ("torch", TORCH, "aten.cos.default"),
        ("tensorflow", KERAS, "Cos"),
    ],
)
def test_a_graph_is_of_what_runs_and_not_of_a_copy(
    backend: str,
    names: dict[str, str],
    op: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "changed_rnn.py").write_text(CHANGED.format(**names))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    info = replace(installed(backend), adapter="changed_rnn:Changed")
    problem = catalogue.build(catalogue.case_from_id("notebook-basic-f32"))
    (found,) = graphs(problem, [info], jobs=1, timeout=240)
    assert found.graph, found.reason
    assert ops(*found.graph.parts).count(op) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "op"),
    [("torch:compile", "tanh"), ("tensorflow:xla", "Tanh")],
)
def test_what_is_compiled_whole_has_a_graph_too(
    backend: str, op: str, drawn: Ask
) -> None:
    assert ops(*drawn(backend, "notebook-basic-f32").parts).count(op) == 2


@pytest.mark.slow
def test_a_graph_that_writes_in_place_says_that_edges_are_missing(drawn: Ask) -> None:
    assert "writes in place" in drawn("torch:compile", DECODING).note
    assert not drawn("torch:compile", "notebook-basic-f32").note
