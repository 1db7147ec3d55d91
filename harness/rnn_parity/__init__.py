"""Check that a recurrent layer computes the same in every framework.

This is the front door: what is listed here is public, and all else may change. Names
are imported when they are asked for, so importing the package costs little, and never a
framework.

    import rnn_parity as rp

    report = rp.verify("encoder.pt", inputs=batch, expected=outputs)
    assert report.exit_status == 0
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnn_parity.pytest_plugin.cell_conformance import CellConformance
    from rnn_parity.pytest_plugin.conformance import BackendConformance
    from rnn_parity.runs.api import assert_equivalent, compare, run
    from rnn_parity.runs.convert import convert
    from rnn_parity.runs.verify import verify, write_inputs
    from rnn_parity_core import (
        Absent,
        Backend,
        BackendInfo,
        Case,
        Cell,
        FileError,
        Gap,
        Outcome,
        ParityError,
        Problem,
        Unsupported,
        UsageError,
    )
    from rnn_parity_reports import read_report, view_report
    from rnn_parity_reports.results import Report, Result

__version__ = "0.1.0"

_FROM = {
    "rnn_parity.pytest_plugin.cell_conformance": ("CellConformance",),
    "rnn_parity.pytest_plugin.conformance": ("BackendConformance",),
    "rnn_parity.runs.api": ("assert_equivalent", "compare", "run"),
    "rnn_parity.runs.convert": ("convert",),
    "rnn_parity.runs.verify": ("verify", "write_inputs"),
    "rnn_parity_core.backend": (*("Absent", "Backend", "BackendInfo", "Unsupported"),),
    "rnn_parity_core.cell": ("Cell",),
    "rnn_parity_core.gaps": ("Gap",),
    "rnn_parity_core.errors": ("FileError", "ParityError", "UsageError"),
    "rnn_parity_core.spec": ("Case", "Outcome", "Problem"),
    "rnn_parity_reports": ("read_report", "view_report"),
    "rnn_parity_reports.results": ("Report", "Result"),
}
_MODULES = {name: module for module, names in _FROM.items() for name in names}

__all__ = [
    "Absent",
    "Backend",
    "BackendConformance",
    "BackendInfo",
    "Case",
    "Cell",
    "CellConformance",
    "FileError",
    "Gap",
    "Outcome",
    "ParityError",
    "Problem",
    "Report",
    "Result",
    "Unsupported",
    "UsageError",
    "assert_equivalent",
    "compare",
    "convert",
    "read_report",
    "run",
    "verify",
    "view_report",
    "write_inputs",
]


def __getattr__(name: str) -> Any:
    """Import a public name where it is asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_MODULES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
