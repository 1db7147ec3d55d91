"""A graph of ONNX operators in the making, and the tensors in it.

Opset 22 is the latest in which RNN, LSTM and GRU have changed, IR version 10 the one
that came with it; ONNX Runtime takes both since 1.20.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx.numpy_helper import from_array

from rnn_parity_core import Array

OPSET = 22
IR_VERSION = 10

Shape = tuple[int, ...]


class Graph:
    """Nodes in the order of computing; what is asked of tensors is added to it.

    Args:
        dtype: NumPy's name of the tensors' dtype.

    """

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self._nodes: list[NodeProto] = []
        self._inputs: list[ValueInfoProto] = []
        self._outputs: list[ValueInfoProto] = []
        self._initializers: list[TensorProto] = []
        self._names = 0

    def input(self, name: str, shape: Shape, dtype: str = "") -> "Tensor":
        """Declare an input."""
        self._inputs.append(self._typed(name, shape, dtype))
        return Tensor(self, name, shape)

    def output(self, name: str, tensor: "Tensor", dtype: str = "") -> None:
        """Declare that a tensor is an output, under a name."""
        self._nodes.append(helper.make_node("Identity", [tensor.name], [name]))
        self._outputs.append(self._typed(name, tensor.shape, dtype))

    def initializer(self, array: Array) -> "Tensor":
        """Keep an array in the model."""
        name = self._new_name()
        self._initializers.append(from_array(np.array(array, order="C"), name))
        return Tensor(self, name, array.shape)

    def call(
        self,
        operator: str,
        tensors: Sequence["Tensor | None"],
        *shapes: Shape,
        **of: Any,
    ) -> list["Tensor"]:
        """Add a node; it has an output of each shape, and attributes `of` its own.

        An input that is None is left out.
        """
        made = [Tensor(self, self._new_name(), shape) for shape in shapes]
        names = [tensor.name if tensor else "" for tensor in tensors]
        node = helper.make_node(operator, names, [t.name for t in made], **of)
        self._nodes.append(node)
        return made

    def loop(
        self,
        steps: int,
        carried: dict["Tensor", str],
        body: Callable[[list["Tensor"]], tuple[list["Tensor"], dict["Tensor", str]]],
    ) -> list["Tensor"]:
        """Add a Loop of so many steps.

        Args:
            steps: How often the body is gone through.
            carried: Tensors that the first step starts from → their dtypes.
            body: Takes what is carried, and gives it as it is after a step, and what a
                step yields with its dtypes.

        Returns:
            What is carried after the last step, and what all steps yield, one after
            the other along a new first axis.

        """
        outer, self._nodes = self._nodes, []
        names = {tensor: self._new_name() for tensor in carried}
        entering = [Tensor(self, names[t], t.shape) for t in carried]
        after, yielded = body(entering)
        on = self._new_name()
        (goes_on,) = self.call("Identity", [Tensor(self, on, ())], ())
        inside = helper.make_graph(
            self._nodes,
            self._new_name(),
            [
                self._typed(self._new_name(), (), "int64"),
                self._typed(on, (), "bool"),
                *(self._typed(names[t], t.shape, kind) for t, kind in carried.items()),
            ],
            [
                self._typed(goes_on.name, (), "bool"),
                *(
                    self._typed(made.name, made.shape, kind)
                    for made, kind in zip(after, carried.values(), strict=True)
                ),
                *(self._typed(t.name, t.shape, kind) for t, kind in yielded.items()),
            ],
        )
        self._nodes = outer
        first = [self.initializer(np.array(steps)), self.initializer(np.array(True))]
        shapes = [t.shape for t in after] + [(steps, *t.shape) for t in yielded]
        return self.call("Loop", [*first, *carried], *shapes, body=inside)

    def model(self) -> ModelProto:
        """Give the finished model."""
        graph = helper.make_graph(
            self._nodes, "case", self._inputs, self._outputs, self._initializers
        )
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)

    def _new_name(self) -> str:
        self._names += 1
        return f"t{self._names}"

    def _typed(self, name: str, shape: Shape, dtype: str = "") -> ValueInfoProto:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype or self.dtype))
        return helper.make_tensor_value_info(name, kind, shape)


class Tensor:
    """A tensor of a graph, by its name; operators of Python add nodes of ONNX's."""

    def __init__(self, graph: Graph, name: str, shape: Shape) -> None:
        self.graph, self.name, self.shape = graph, name, shape

    def __matmul__(self, other: Self) -> "Tensor":
        return self.call("MatMul", other, shape=(*self.shape[:-1], other.shape[-1]))

    def __add__(self, other: Self | float) -> "Tensor":
        return self.call("Add", self.number(other))

    def __mul__(self, other: Self | float) -> "Tensor":
        by = self.number(other)
        shape = np.broadcast_shapes(self.shape, by.shape)
        return self.call("Mul", by, shape=shape)

    def __truediv__(self, other: Self) -> "Tensor":
        return self.call("Div", other)

    def __rsub__(self, other: int) -> "Tensor":
        return self.number(other).call("Sub", self, shape=self.shape)

    def number(self, of: "Tensor | float") -> "Tensor":
        """Keep a number in the model, in the graph's dtype; tensors stay themselves."""
        if isinstance(of, Tensor):
            return of
        return self.graph.initializer(np.array(of, self.graph.dtype))

    def __getitem__(self, index: int | tuple[Any, slice]) -> "Tensor":
        """Take one of the first axis, or, of `[..., a:b]`, some of the last."""
        if isinstance(index, int):
            return self.at(index, axis=0)
        start, stop = index[1].start, index[1].stop
        bounds = [self._numbers([n]) for n in (start, stop, -1)]
        return self.call("Slice", *bounds, shape=(*self.shape[:-1], stop - start))

    def call(
        self, operator: str, *others: "Tensor", shape: Shape = (), **of: Any
    ) -> "Tensor":
        """Call an operator of one output, of this tensor's shape unless it is given."""
        shape = shape or self.shape
        return self.graph.call(operator, [self, *others], shape, **of)[0]

    def at(self, index: int, axis: int) -> "Tensor":
        """Take one along an axis, which is then gone."""
        number = self.graph.initializer(np.array(index))
        shape = (*self.shape[:axis], *self.shape[axis + 1 :])
        return self.graph.call("Gather", [self, number], shape, axis=axis)[0]

    def between(self, start: int, stop: int) -> "Tensor":
        """Take some of the first axis."""
        bounds = [self._numbers([n]) for n in (start, stop, 0)]
        return self.call("Slice", *bounds, shape=(stop - start, *self.shape[1:]))

    def transposed(self, *axes: int) -> "Tensor":
        """Put axes into another order."""
        return self.call(
            "Transpose", shape=tuple(self.shape[k] for k in axes), perm=axes
        )

    def reshaped(self, *shape: int) -> "Tensor":
        """Take the same elements in another shape."""
        return self.call("Reshape", self._numbers(list(shape)), shape=shape)

    def _numbers(self, numbers: list[int]) -> "Tensor":
        return self.graph.initializer(np.array(numbers, np.int64))


def joined(tensors: list[Tensor], axis: int) -> Tensor:
    """Join tensors along an axis that they have."""
    if len(tensors) == 1:
        return tensors[0]
    shape = list(tensors[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    return tensors[0].call("Concat", *tensors[1:], shape=tuple(shape), axis=axis)


def stacked(tensors: list[Tensor], axis: int) -> Tensor:
    """Join tensors along a new axis."""
    shape = tensors[0].shape
    one = (*shape[:axis], 1, *shape[axis:])
    return joined([tensor.reshaped(*one) for tensor in tensors], axis)
