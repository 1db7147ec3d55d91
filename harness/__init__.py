"""What is computed and how it is judged; no framework is imported here.

`spec` and `backend` are the contract that an adapter sees. `run` turns problems into
outcomes on disk, `judge` turns outcomes on disk into verdicts, and `session` joins the
two for the faces: the command line (`cli`), the pytest plugin (`in_pytest`), and in
Python `verify`, `write_inputs` and `convert` for layers of one's own.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.model_runs import convert, verify, write_inputs

__all__ = ["convert", "verify", "write_inputs"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what computes when it is asked for: adapters import this package too."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness import model_runs  # noqa: PLC0415

    return getattr(model_runs, name)
