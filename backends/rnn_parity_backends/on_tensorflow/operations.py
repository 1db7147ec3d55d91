"""TensorFlow's operations for the cells by hand, eager or in a graph."""

from typing import Any

import tensorflow as tf

Tensors = Any  # `tf.Tensor`, `tf.Variable`, or what Keras makes of one


class _Ops:
    def tanh(self, x: Tensors) -> Tensors:
        return tf.tanh(x)

    def sigmoid(self, x: Tensors) -> Tensors:
        return tf.sigmoid(x)

    def relu(self, x: Tensors) -> Tensors:
        return tf.nn.relu(x)

    def clip(self, x: Tensors, low: float, high: float) -> Tensors:
        return tf.clip_by_value(x, low, high)

    def concatenate(self, tensors: list[Tensors]) -> Tensors:
        return tf.concat(tensors, axis=-1)


OPS = _Ops()
