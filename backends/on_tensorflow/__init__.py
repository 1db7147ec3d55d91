"""TensorFlow twice: today's Keras layers, and the notebook's TensorFlow 1 graph."""

from harness.backend import BackendInfo

INFO = BackendInfo(
    name="tensorflow",
    adapter="backends.on_tensorflow.adapter:KerasBackend",
    requires={"tensorflow": "tensorflow", "keras": "keras"},
    install="pip install 'rnn-parity[tensorflow]'",
    apis={
        "basic": "tf.matmul, tf.tanh, eager",
        "static": "keras.layers.SimpleRNNCell over a list",
        "static_single": "keras.layers.RNN(SimpleRNNCell, unroll=True)",
        "dynamic": "keras.layers.SimpleRNN",
    },
    # TensorFlow 2.21, CPU: 5.76 and 7.4 were the largest seen.
    elementwise_ulp={"tanh": {"float32": 6.0, "float64": 8.0}},
)

INFO_V1 = BackendInfo(
    name="tensorflow:v1",
    adapter="backends.on_tensorflow.adapter_v1:GraphBackend",
    requires={"tensorflow": "tensorflow", "tf_keras": "tf_keras"},
    install=INFO.install,
    apis={
        "basic": "tf.matmul, tf.tanh in a graph",
        "static": "static_rnn(BasicRNNCell) over a list",
        "static_single": "tf.unstack, static_rnn(BasicRNNCell), tf.stack",
        "dynamic": "dynamic_rnn(BasicRNNCell)",
    },
    elementwise_ulp=INFO.elementwise_ulp,
)
