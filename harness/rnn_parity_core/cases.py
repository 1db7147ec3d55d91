"""Which cases there can be: IDs, limits, contradictions; and a choice of some."""

import math
import re

from rnn_parity_core.cells import CELLS
from rnn_parity_core.errors import UsageError, unknown_name
from rnn_parity_core.probing import probing
from rnn_parity_core.spec import DIRECTIONS, DTYPES, HALF_DTYPES, TASKS, VARIANTS, Case

# What one array may take up, so that a mistyped size is refused and not attempted.
MAX_ELEMENTS = 2**28
MAX_LAYERS = 64
MAX_GAIN = 64
_FEWEST_TOKENS = 3  # start, stop, and one to say
MAX_SEED = 2**63 - 1

_ID = re.compile(
    r"(?P<cell>[a-z][a-z0-9_.]*)-(?P<variant>[a-z_]+)"
    r"-B(?P<batch>\d+)-T(?P<steps>\d+)-D(?P<features>\d+)-H(?P<units>\d+)"
    r"(-P(?P<projection>\d+))?(-V(?P<vocabulary>\d+))?(-L(?P<layers>\d+))?"
    r"(-G(?P<gain>\d{1,3}(\.\d{1,5})?))?"
    r"(-(?P<direction>reverse|bidirectional))?"
    r"(?P<no_bias>-nobias)?(?P<time_major>-timemajor)?(?P<zero_length>-zerolength)?"
    r"(?P<probe>-probe)?"
    r"(-(?P<task>gradient|sgd|adam))?"
    r"-(?P<dtype>[a-z]+\d+)-s(?P<seed>\d+)"
)

_TRAINED = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{16}")
_OF_GIVEN = re.compile(r".*-w[0-9a-f]{16}", re.ASCII)


def parse_id(case_id: str) -> Case | None:
    """Give the case that an ID spells out; None if it spells none.

    Other names than that of the dtype, and sizes, are for `check_case` to judge.

    Raises:
        UsageError: The dtype is unknown, or the weights were somebody's own.

    """
    if _OF_GIVEN.fullmatch(case_id):
        raise UsageError(
            f"case {case_id[:200]!r} has weights of a file, which no ID holds; run "
            "them by: rnn-parity verify FILE"
        )
    if not (match := _ID.fullmatch(case_id)):
        return None
    part = match.groupdict()
    long_dtypes = {short: name for name, short in DTYPES.items()}
    if part["dtype"] not in long_dtypes:
        raise unknown_name("dtype", part["dtype"], long_dtypes)
    # Cut short, so that thousands of digits are no number to compute with.
    number = {n: int((part[n] or "0")[:12]) for n in ("batch", "steps", "features")}
    return Case(
        cell=part["cell"],
        variant=part["variant"],
        batch=number["batch"],
        steps=number["steps"],
        features=number["features"],
        units=int(part["units"][:12]),
        projection=int((part["projection"] or "0")[:12]),
        vocabulary=int((part["vocabulary"] or "0")[:12]),
        layers=int((part["layers"] or "1")[:12]),
        gain=float(part["gain"] or 1),
        direction=part["direction"] or "forward",
        bias=not part["no_bias"],
        time_major=bool(part["time_major"]),
        zero_length=bool(part["zero_length"]),
        probe=bool(part["probe"]),
        task=part["task"] or "forward",
        dtype=long_dtypes[part["dtype"]],
        seed=int(part["seed"][:20]),
    )


def spread(cases: list[Case], count: int) -> list[Case]:
    """Choose cases evenly: of every part of a suite some."""
    if len(cases) <= count:
        return cases
    return [cases[number * len(cases) // count] for number in range(count)]


def check_case(case: Case) -> None:
    """See that a case names something that can be computed.

    Raises:
        UsageError: A name is unknown, a size is out of range, or options contradict.

    """
    check_cell_name(case.cell)
    for kind, got, known in (
        ("variant", case.variant, VARIANTS),
        ("dtype", case.dtype, DTYPES),
        ("direction", case.direction, DIRECTIONS),
        ("task", case.task, TASKS),
    ):
        if got not in known:
            raise unknown_name(kind, got, known)
    label = _label(case)
    sizes = case.batch, case.steps, case.features, case.units, case.layers
    if min(sizes) < 1 or case.layers > MAX_LAYERS:
        raise UsageError(
            f"case {label}: B, T, D, H and L must each be at least 1, and L at most "
            f"{MAX_LAYERS}"
        )
    if not 0 < case.gain <= MAX_GAIN:
        raise UsageError(f"case {label}: G must be above 0, and at most {MAX_GAIN}")
    if said := _misborn(case) or _contradiction(case) or _misprobed(case):
        raise UsageError(f"case {label}: {said}")
    for name, shape in {**case.input_shapes(), **case.output_shapes()}.items():
        if (elements := math.prod(shape)) > MAX_ELEMENTS:
            raise UsageError(
                f"case {label}: {name} would have {min(elements, 10**30)} elements, "
                f"more than {MAX_ELEMENTS}"
            )


def check_cell_name(name: str) -> None:
    """See that there is a cell, and that it is called by its one name.

    Raises:
        UsageError: There is none, or it has another name.

    """
    base, _, activations = name.partition(".")
    if name not in CELLS:
        near = CELLS[base].choices if activations and base in CELLS else ()
        raise unknown_name("cell", name, [f"{base}.{of}" for of in near] or CELLS)
    if (usual := CELLS.usual_name(CELLS[name])) != name:
        raise UsageError(f"the cell {name!r} is called {usual!r}; write that")


def _label(case: Case) -> str:
    """Name a case in a message, even one whose numbers Python does not write."""
    try:
        return case.id
    except ValueError:
        return "of sizes too large to write"


def _misborn(case: Case) -> str:
    """Say what is wrong with where a case's arrays come from, if anything."""
    if case.given and (case.seed is not None or not _DIGEST.fullmatch(case.given)):
        return "given weights have a digest of 16 hexadecimal digits, and no seed"
    if case.trained and (
        case.seed is not None or case.given or not _TRAINED.fullmatch(case.trained)
    ):
        return (
            "a trained network is named by small letters, digits and hyphens, and has "
            "neither a seed nor a digest"
        )
    in_range = 0 <= (case.seed or 0) <= MAX_SEED
    return "" if in_range else "the seed must be below 2^63"


def _misprobed(case: Case) -> str:
    """Say what is wrong with a case that is to show every weight, if anything."""
    if not case.probe or case == (right := probing(case)):
        return ""
    said = (
        "a probe goes forward through one step, and not with zerolength, nor "
        "variable_output"
    )
    return f"{said}; here it is {right.id}" if right else said


def _contradiction(case: Case) -> str:
    """Say which options of a case do not go together; nothing if all do."""
    decodes = case.variant == "variable_output"
    looped = case.variant in {"dynamic", "variable_input"}
    half = case.dtype in HALF_DTYPES
    rules = {
        "P goes with cells that have a projection, and only there": (
            case.projection > 0
            if "projection" in CELLS[case.cell].weights
            else case.projection == 0
        ),
        "zerolength goes with variable_input only": (
            not case.zero_length or case.variant == "variable_input"
        ),
        "timemajor goes with dynamic and variable_input only": (
            not case.time_major or looped
        ),
        "V goes with variable_output only, and is at least 3 there": (
            case.vocabulary >= _FEWEST_TOKENS if decodes else case.vocabulary == 0
        ),
        "variable_output goes forward only, in float32 or float64": (
            not decodes or (case.direction == "forward" and not half)
        ),
        "gradient, sgd and adam go with float32 and float64, and not with "
        "variable_output": case.task == "forward" or not (decodes or half),
    }
    return next((rule for rule, kept in rules.items() if not kept), "")
