"""Each framework's layer on each case against NumPy: the test one would write first.

The environment variable `PLAIN_CASES` names a folder of `.npz`, one for each case.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.plain.layers import PASSES, numpy_pass

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
CASES = sorted(Path(os.environ["PLAIN_CASES"]).glob("*.npz"))


def network(one_pass: Any, case: dict[str, Any], arrays: Any) -> dict[str, Any]:
    """Compute all layers and directions by one pass each."""
    x, lengths = arrays["inputs"], arrays.get("lengths")
    finals: dict[str, list[Any]] = {}
    unrolled = case["variant"] in {"static", "static_single"}
    for layer in range(case["layers"]):
        outputs = []
        for way in case["directions"]:
            turn = -1 if way == "reverse" else 1
            prefix, number = f"layer{layer}.{way}.", len(finals.get("h", []))
            weights = {
                name.removeprefix(prefix): array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
            initial = {
                name.removeprefix("initial_"): array[number]
                for name, array in arrays.items()
                if name.startswith("initial_")
            }
            found, final = one_pass(
                case["cell"],
                unrolled,
                weights,
                np.ascontiguousarray(x[:, ::turn]),
                initial,
                lengths,
            )
            outputs.append(found[:, ::turn])
            for name, array in final.items():
                finals.setdefault(name, []).append(array)
        x = np.concatenate(outputs, axis=-1)
    return {"outputs": x} | {f"final_{n}": np.stack(a) for n, a in finals.items()}


@pytest.mark.parametrize("framework", PASSES)
@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_layer(framework: str, path: Path) -> None:
    """Hold a framework's outputs and final states to NumPy's."""
    arrays = dict(np.load(path))
    case = json.loads(str(arrays.pop("case")))
    if framework not in case["backends"]:
        pytest.skip("it has no such layer")
    got = network(PASSES[framework], case, arrays)
    want = network(numpy_pass, case, arrays)
    close = TOLERANCES[case["dtype"]]
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=close, atol=close)
