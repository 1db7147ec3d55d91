"""Sweeps: suites of any size on Dask workers, some cases on a backend at a time."""

from importlib.util import find_spec

from rnn_parity_core import UsageError

for _module, _what in (("distributed", "Dask"), ("pyarrow", "pyarrow")):
    if find_spec(_module) is None:
        raise UsageError(
            f"{_what} is not installed, which sweeps run on; install it with: "
            "pip install 'rnn-parity[sweep]'"
        )
