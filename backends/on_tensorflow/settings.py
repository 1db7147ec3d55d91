"""The part of TensorFlow's state that both adapters share."""

import os

import tensorflow as tf

from harness.backend import Scalar

# Without this a GPU would be taken where there is one.
tf.config.set_visible_devices([], "GPU")


def tensorflow_settings() -> dict[str, Scalar]:
    """Report the switches of TensorFlow that may move numbers."""
    return {
        "device": "cpu",
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
        "jit": tf.config.optimizer.get_jit() or None,
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
    }
