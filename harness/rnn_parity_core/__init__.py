"""What every part agrees about: problems, what adapters see, arrays and files.

An adapter needs this package alone, and what is named here; it imports nothing else of
ours, and no framework.
"""

from rnn_parity_core.accuracy import (
    FLOAT32_SUMS,
    TF32_UNIT,
    Accuracy,
    Arithmetic,
    Error,
)
from rnn_parity_core.backend import (
    Absent,
    Backend,
    BackendInfo,
    BackendRecord,
    Scalar,
    Unsupported,
)
from rnn_parity_core.cell import Cell
from rnn_parity_core.cells import CELLS
from rnn_parity_core.errors import (
    FileError,
    ParityError,
    UsageError,
    clean,
    unknown_name,
)
from rnn_parity_core.functions import Array
from rnn_parity_core.gaps import ANY_ACTIVATION, Choice, Gap, Implementation
from rnn_parity_core.spec import (
    ADAM_BETAS,
    ADAM_EPSILON,
    DIRECTIONS,
    DTYPES,
    HALF_DTYPES,
    INTEGER_ARRAYS,
    LEARNING_RATE,
    OPTIMIZERS,
    TASKS,
    UPDATES,
    VARIANTS,
    Case,
    Outcome,
    Problem,
)

__all__ = [
    "ADAM_BETAS",
    "ADAM_EPSILON",
    "ANY_ACTIVATION",
    "CELLS",
    "DIRECTIONS",
    "DTYPES",
    "FLOAT32_SUMS",
    "HALF_DTYPES",
    "INTEGER_ARRAYS",
    "LEARNING_RATE",
    "OPTIMIZERS",
    "TASKS",
    "TF32_UNIT",
    "UPDATES",
    "VARIANTS",
    "Absent",
    "Accuracy",
    "Arithmetic",
    "Array",
    "Backend",
    "BackendInfo",
    "BackendRecord",
    "Case",
    "Cell",
    "Choice",
    "Error",
    "FileError",
    "Gap",
    "Implementation",
    "Outcome",
    "ParityError",
    "Problem",
    "Scalar",
    "Unsupported",
    "UsageError",
    "clean",
    "unknown_name",
]
