"""The part of TensorFlow's state that all its adapters share."""

import os

import tensorflow as tf
from tensorflow.python.framework import config

from rnn_parity_core import Scalar

# Without this a GPU would be taken where there is one.
tf.config.set_visible_devices([], "GPU")


def configure(*, tf32: Scalar, deterministic: Scalar, threads: Scalar) -> None:
    """Set what a process has one of.

    Args:
        tf32: Whether float32 products may be of numbers cut to 10 bits, on devices that
            do so; TensorFlow's own default is that they may.
        deterministic: Whether operations must give the same bits each time, or raise.
        threads: Threads in and between operations; 0 as many as TensorFlow chooses.

    Raises:
        RuntimeError: Operations ran already, with other threads.

    """
    tf.config.experimental.enable_tensor_float_32_execution(bool(tf32))
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    else:
        config.disable_op_determinism()
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(int(threads))
        tf.config.threading.set_inter_op_parallelism_threads(int(threads))


def tensorflow_settings() -> dict[str, Scalar]:
    """Report the switches of TensorFlow that may move numbers, as they are."""
    return {
        "device": "cpu",
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
        "deterministic": config.is_op_determinism_enabled(),
        "jit": tf.config.optimizer.get_jit() or None,
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
    }
