"""Whether named arrays are what a case asks for."""

from collections.abc import Mapping

import numpy as np

from rnn_parity_core.functions import Array
from rnn_parity_core.spec import INTEGER_ARRAYS, Case

_MOST, _LONGEST = 8, 200  # names of anyone's that are said again, and their characters


def contract_violations(
    arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], dtype: str
) -> list[str]:
    """List what keeps named arrays from being what a case asks for.

    Looks for missing and extra names, wrong shapes and dtypes. An empty list means that
    there is nothing to complain about.
    """
    found = [f"{name} is missing" for name in shapes if name not in arrays]
    extra = [name for name in arrays if name not in shapes]
    found += [f"{name[:_LONGEST]} is not asked for" for name in extra[:_MOST]]
    if len(extra) > _MOST:
        found.append(f"{len(extra) - _MOST} more are not asked for")
    for name in shapes.keys() & arrays.keys():
        array, shape = arrays[name], shapes[name]
        expected = np.dtype("int32" if name in INTEGER_ARRAYS else dtype)
        if array.shape != shape:
            found.append(
                f"{name} has shape {list(array.shape)}, expected {list(shape)}"
            )
        if array.dtype != expected:
            found.append(f"{name} has dtype {array.dtype}, expected {expected}")
    return sorted(found)


def nonfinite(arrays: Mapping[str, Array]) -> list[str]:
    """List the arrays that have elements which are NaN or infinite, and how many."""
    found = []
    for name, array in arrays.items():
        bad = array.size - int(np.count_nonzero(np.isfinite(array)))
        if bad:
            found.append(f"{name} has {bad} of {array.size} elements NaN or infinite")
    return found


def out_of_range(case: Case, arrays: Mapping[str, Array]) -> list[str]:
    """List integers that name a step or a token which does not exist."""
    largest = {"lengths": case.steps, "start_stop": case.vocabulary - 1}
    return [
        f"{name} has elements outside of 0 to {limit}"
        for name, limit in largest.items()
        if name in arrays and ((arrays[name] < 0) | (arrays[name] > limit)).any()
    ]
