"""The terms of the equations in which implementations are known to differ.

`cells` has the equations around them. With another function in place of one term they
are those of another convention, and everything else of the certificate stays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Term = Callable[..., Any]
"""Operations (`cells.Operations`) and values → a value."""


def _project(ops: Any, h: Any, projection: Any) -> Any:
    return ops.affine([(h, projection)], np.zeros(projection.shape[1]))


@dataclass(frozen=True)
class Terms:
    """The terms, as the papers have them; each is given the operations first."""

    sigmoid: Term = lambda ops, x: ops.sigmoid(x)
    """Of every gate."""
    tanh: Term = lambda ops, x: ops.tanh(x)
    """Of the candidate, and of an `rnn_tanh`."""
    relu: Term = lambda ops, x: ops.relu(x)
    squash: Term = lambda ops, c: ops.tanh(c)
    """Of the cell state c, on its way out."""
    carry: Term = lambda ops, f, c, i, g: ops.add(ops.mul(f, c), ops.mul(i, g))
    """The new c, of the gates and the old one."""
    shown: Term = lambda _ops, _old, new: new
    """Which c goes out."""
    peeped: Term = lambda _ops, _old, new: new
    """Which c the output gate sees."""
    gated: Term = lambda ops, o, c: ops.mul(o, c)
    """What goes out, of the output gate and the squashed c."""
    project: Term = _project
    candidate: Term | None = None
    """Pre-activation of a GRU's n, of x, r, h and the weights; None: the cell's own."""
    reset: Term = lambda _ops, r, _z: r
    """What resets h, of r and z."""
    mix: Term = lambda ops, z, h, n: ops.mix(z, h, n)
    """The new h of a GRU."""
    kept: Term = lambda _ops, state: state
    """What becomes of a state at the end of a step."""


AS_PUBLISHED = Terms()
