"""The comparator beside others that hold two arrays against each other.

`python -m benchmarks.comparator` compares two float32 arrays of 20 million elements,
and two of 40, by ours and by others, in turn, and prints Markdown tables of medians.
`np.dot` of the large arrays stands for how fast they can be read at all.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from polygraphy.comparator import IterationResult, SimpleCompareFunc
from polygraphy.logger import G_LOGGER

from benchmarks.quiet import settle
from rnn_parity.judge.compare import compare
from rnn_parity_core import Array

_LARGE, _SMALL = 20_000_000, 40
_ROUNDS = 7
_CALLS = 2000  # of the small arrays in a round
_OURS = "rnn-parity: 4 deviations, 2 counts, where"

_Compared = dict[str, Callable[[], object]]


def main() -> None:
    """Print both tables."""
    large = _arrays(_LARGE)
    limit = {"`np.dot`, which reads both": lambda: np.dot(*large)}
    _table(f"{_LARGE} elements", {**limit, **_comparators(*large)}, calls=1)
    _table(f"{_SMALL} elements", _comparators(*_arrays(_SMALL)), calls=_CALLS)


def _arrays(size: int) -> tuple[Array, Array]:
    """Give two arrays that differ by some ulp here and there."""
    random = np.random.default_rng(1)
    want = random.standard_normal(size, np.float32)
    noise = random.standard_normal(size, np.float32)
    return want + noise * np.float32(1e-7), want


def _comparators(got: Array, want: Array) -> _Compared:
    tensors = torch.from_numpy(got), torch.from_numpy(want)
    return {
        _OURS: lambda: compare(got, want, dtype="float32"),
        "np.testing.assert_allclose": lambda: np.testing.assert_allclose(
            got, want, rtol=1e-4, atol=1e-5
        ),
        "torch.testing.assert_close": lambda: torch.testing.assert_close(*tensors),
        "Polygraphy's SimpleCompareFunc": _polygraphy(got, want),
    }


def _polygraphy(got: Array, want: Array) -> Callable[[], object]:
    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    held = SimpleCompareFunc(rtol=1e-4, atol=1e-5)
    results = [
        IterationResult(OrderedDict(outputs=array), runner_name=name)
        for name, array in (("got", got), ("want", want))
    ]
    return lambda: held(*results)


def _table(title: str, compared: _Compared, calls: int) -> None:
    """Time all in turn, and print how many times ours each takes."""
    times: dict[str, list[float]] = {name: [] for name in compared}
    for number in range(_ROUNDS + 1):  # the first is not counted
        for name, call in compared.items():
            settle()
            begun = time.perf_counter()
            for _ in range(calls):
                call()
            if number:
                times[name].append((time.perf_counter() - begun) / calls)
    ours = median(times[_OURS])
    print(f"| two float32 arrays of {title} | seconds | times ours |")
    print("| --- | --- | --- |")
    for name, seconds in times.items():
        print(f"| {name} | {median(seconds):.2g} | {median(seconds) / ours:.2g} |")
    print(flush=True)


if __name__ == "__main__":
    main()
