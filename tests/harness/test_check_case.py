"""What cannot be computed is refused before anything is attempted."""

import pytest
from msgspec.structs import replace

from rnn_parity_core import CELLS, Case, UsageError
from rnn_parity_core.cases import check_case

CASE = Case(
    cell="rnn_tanh",
    variant="static_single",
    batch=2,
    steps=3,
    features=4,
    units=5,
    dtype="float64",
    seed=7,
)


@pytest.mark.parametrize("cell", CELLS)
def test_a_projection_goes_with_the_projection_cell_and_only_there(cell: str) -> None:
    projects = cell == "lstm_projection"
    check_case(replace(CASE, cell=cell, projection=2 * projects))
    with pytest.raises(UsageError, match="P goes with cells that have a projection"):
        check_case(replace(CASE, cell=cell, projection=2 * (not projects)))


@pytest.mark.parametrize("cell", CELLS)
def test_a_negative_projection_is_refused(cell: str) -> None:
    with pytest.raises(UsageError):
        check_case(replace(CASE, cell=cell, projection=-2))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cell": "lstmm"}, "unknown cell 'lstmm'; did you mean lstm"),
        ({"cell": "lstm.hard_sigmoid"}, "did you mean lstm.output_hard_sigmoid"),
        ({"cell": "lstm.recurrent_sigmoid"}, "is called 'lstm'; write that"),
        ({"cell": "rnn_tanh.activation_relu"}, "is called 'rnn_relu'; write that"),
        (
            {"cell": "lstm.output_relu.activation_relu"},
            "is called 'lstm.activation_relu.output_relu'; write that",
        ),
        ({"variant": "basics"}, "unknown variant 'basics'; did you mean basic"),
        ({"dtype": "float23"}, "unknown dtype 'float23'; did you mean float32"),
        ({"direction": "revers"}, "unknown direction 'revers'; did you mean reverse"),
        ({"batch": 0}, "must each be at least 1"),
        ({"layers": 0}, "must each be at least 1"),
        ({"layers": 65}, "and L at most 64"),
        ({"seed": -1}, "the seed must be below 2"),
        ({"seed": 2**63}, "the seed must be below 2"),
        ({"zero_length": True}, "zerolength goes with variable_input only"),
        ({"time_major": True}, "timemajor goes with dynamic and variable_input only"),
        ({"units": 2**14 + 1, "layers": 2, "direction": "bidirectional"}, "more than"),
    ],
)
def test_a_case_that_cannot_be_computed_is_refused(
    changes: dict[str, str | int], words: str
) -> None:
    check_case(CASE)
    with pytest.raises(UsageError, match=words):
        check_case(replace(CASE, **changes))
