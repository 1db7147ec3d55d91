"""Reports made by hand: what a view shows must not need a run."""

from msgspec.structs import replace

from rnn_parity_core import Case
from rnn_parity_reports.results import (
    Figures,
    FirstBad,
    Result,
    Steps,
)

CASE = Case(
    cell="gru",
    variant="dynamic",
    batch=3,
    steps=7,
    features=4,
    units=5,
    dtype="float32",
    seed=1,
)


def passing(case: str, backend: str, bound_ratio: float = 0.25) -> Result:
    """Give a result that passes, with a point for each step."""
    return Result(
        case,
        backend,
        "pass",
        bound_ratio=bound_ratio,
        figures={"outputs": Figures(1e-7, 1e-6, 1.5, 3e-8, 0, 0, 105, (0, 3, 2))},
        fixed_tolerances={"np.testing": False, "onnx": True},
        steps=Steps(
            list(range(7)), [1e-8] * 7, [bound_ratio and 1e-8 / bound_ratio] * 7
        ),
        sensitivity={"kernel": 1e-4, "bias": None},
        reproduce=f"rnn-parity run --cases {case} --backends {backend}",
    )


def failing(case: str, backend: str) -> Result:
    """Give a result that differs from step 2 on."""
    errors = [1e-8, 1e-8, 0.5, 0.5, 0.5, 0.5, 0.5]
    return replace(
        passing(case, backend),
        verdict="fail",
        bound_ratio=5e6,
        first_bad=FirstBad(2, 1, 4, gate="r", times_bound=5e6),
        explanations=["gate order z, r, n instead of r, z, n"],
        detail=f"outputs: 50 of 105 elements outside the bound [{backend}, {case}]",
        steps=Steps(list(range(7)), [*errors], [1e-7] * 7),
    )
