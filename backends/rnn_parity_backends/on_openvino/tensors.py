"""Tensors of an OpenVINO model in the making, with the operators that cells ask for."""

from typing import Any, Self

import ml_dtypes
import numpy as np
import openvino
from openvino import opset15 as ops

from rnn_parity_core import Array


class Tensor:
    """An output of a node."""

    def __init__(self, output: Any) -> None:
        self.output = output

    def __matmul__(self, other: Self) -> "Tensor":
        product = ops.matmul(
            self.output, other.output, transpose_a=False, transpose_b=False
        )
        return Tensor(product.output(0))

    def __add__(self, other: Self | float) -> "Tensor":
        return Tensor(ops.add(self.output, self._operand(other)).output(0))

    def __mul__(self, other: Self | float) -> "Tensor":
        return Tensor(ops.multiply(self.output, self._operand(other)).output(0))

    def __truediv__(self, other: Self) -> "Tensor":
        return Tensor(ops.divide(self.output, other.output).output(0))

    def __rsub__(self, other: int) -> "Tensor":
        return Tensor(ops.subtract(self._operand(other), self.output).output(0))

    def __getitem__(self, index: int | tuple[Any, slice]) -> "Tensor":
        """Take one of the first axis, or, of `[..., a:b]`, some of the last."""
        if isinstance(index, int):
            return self.at(index, axis=0)
        return self.between(index[1].start, index[1].stop, axis=-1)

    @property
    def shape(self) -> list[int]:
        """Sizes of the axes."""
        return [*self.output.get_shape()]

    def at(self, index: int, axis: int) -> "Tensor":
        """Take one along an axis, which is then gone."""
        return Tensor(ops.gather(self.output, index, axis).output(0))

    def between(self, start: int, stop: int, axis: int) -> "Tensor":
        """Take some along an axis."""
        bounds = [np.array([n]) for n in (start, stop, 1, axis)]
        return Tensor(ops.slice(self.output, *bounds).output(0))

    def _operand(self, other: Self | float) -> Any:
        """Give a tensor's output, or a constant."""
        if isinstance(other, Tensor):
            return other.output
        return ops.constant(other, self.output.get_element_type())

    def transposed(self, *axes: int) -> "Tensor":
        """Put axes into another order."""
        return Tensor(ops.transpose(self.output, np.array(axes)).output(0))

    def reshaped(self, *shape: int) -> "Tensor":
        """Take the same elements in another shape."""
        shaped = ops.reshape(self.output, np.array(shape), special_zero=False)
        return Tensor(shaped.output(0))


class Ops:
    """Elementwise functions of the cells by hand."""

    def tanh(self, x: Tensor) -> Tensor:
        """Hyperbolic tangent."""
        return Tensor(ops.tanh(x.output).output(0))

    def sigmoid(self, x: Tensor) -> Tensor:
        """Logistic function."""
        return Tensor(ops.sigmoid(x.output).output(0))

    def relu(self, x: Tensor) -> Tensor:
        """Larger one of x and 0."""
        return Tensor(ops.relu(x.output).output(0))

    def clip(self, x: Tensor, low: float, high: float) -> Tensor:
        """Cut off what is below or above."""
        return Tensor(ops.clamp(x.output, low, high).output(0))

    def concatenate(self, tensors: list[Tensor]) -> Tensor:
        """Join along the last axis."""
        return joined(tensors, axis=-1)


def joined(tensors: list[Tensor], axis: int) -> Tensor:
    """Join tensors along an axis that they have."""
    return Tensor(ops.concat([tensor.output for tensor in tensors], axis).output(0))


def stacked(tensors: list[Tensor], axis: int) -> Tensor:
    """Join tensors along a new axis."""
    return joined(
        [
            Tensor(ops.unsqueeze(tensor.output, np.array(axis)).output(0))
            for tensor in tensors
        ],
        axis,
    )


def constant(array: Array) -> Tensor:
    """Keep an array in the model."""
    return Tensor(ops.constant(to_openvino(array)).output(0))


def failure_signature(dtype: str) -> Any:
    """Give OpenVINO's name of a dtype."""
    return openvino.Type.bf16 if dtype == "bfloat16" else openvino.Type(np.dtype(dtype))


def to_openvino(array: Array) -> Any:
    """Copy to a tensor of OpenVINO's, which shows bfloat16 as if it were float16."""
    tensor = openvino.Tensor(failure_signature(array.dtype.name), array.shape)
    tensor.data[...] = array.view(tensor.data.dtype)
    return tensor


def from_openvino(tensor: Any) -> Array:
    """Copy to an array."""
    if tensor.get_element_type() == openvino.Type.bf16:
        return np.array(tensor.data).view(ml_dtypes.bfloat16)
    return np.array(tensor.data)


def where(mask: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Take one where a mask is set, the other elsewhere."""
    return Tensor(ops.select(mask.output, one.output, other.output).output(0))
