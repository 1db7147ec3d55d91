"""Whether what a backend declares is about anything: known names, cases to be asked."""

from collections.abc import Iterable, Iterator
from itertools import product

from msgspec.structs import replace

from rnn_parity_core import (
    CELLS,
    DIRECTIONS,
    DTYPES,
    TASKS,
    VARIANTS,
    BackendInfo,
    Case,
    Gap,
    ParityError,
    UsageError,
    unknown_name,
)
from rnn_parity_core.activations import ACTIVATIONS
from rnn_parity_core.cases import check_case
from rnn_parity_core.probing import probing

_UNITS = 2
_TOKENS = 3
_OTHERS = ("hard_sigmoid", "gelu")  # one that many have, and one that few have


def check_declared(info: BackendInfo) -> None:
    """See that each name that a backend declares is one, and each gap covers a case.

    The cells are those that are known now, other packages' too.

    Raises:
        ParityError: A name is unknown, or a gap matches nothing.

    """
    for kind, field, got, known in _names(info):
        if got not in known:
            raise unknown_name(f"{kind} in {field} of backend {info.name}", got, known)
    cells = [*CELLS, *_with_others(info)]
    pairs = [(cell, variant) for cell in cells for variant in VARIANTS]
    done = [pair for pair in pairs if info.implementation_for(*pair)]
    others = [pair for pair in pairs if pair not in done]
    for field, gaps, about in (
        ("gaps", info.gaps, done),
        ("otherwise", info.otherwise, others),
    ):
        for gap in gaps:
            said = f"{field} of backend {info.name}: {gap.why}"
            if field == "otherwise" and gap.kind == "wrong":
                raise ParityError(f"{said}; what is not done cannot be wrong")
            # Sizes and seeds of IDs are nothing to go through: those that are named
            # are taken for possible.
            anywhere = replace(gap, ids=())
            if not any(map(anywhere.covers, _cases(gap, about))):
                raise ParityError(f"{said}; matches nothing{_hint(field)}")


def _with_others(info: BackendInfo) -> list[str]:
    """Give cells with other activations, where a gap speaks of these."""
    if not any(gap.activations for gap in (*info.gaps, *info.otherwise)):
        return []
    return [
        CELLS.with_functions(name, {place: function})
        for name, cell in CELLS.items()
        for place in cell.activations
        for function in _OTHERS
    ]


def _hint(field: str) -> str:
    if field == "gaps":
        return (
            " of what an Implementation names; what none names is a gap without it, "
            "and otherwise is what says why"
        )
    return ", as implementations name all that it covers"


_Named = tuple[str, str, str, Iterable[str]]
"""A kind of name, the field it is in, the name, and those that there are."""


def _names(info: BackendInfo) -> Iterator[_Named]:
    """Go through all the names that a backend declares."""
    places = {place: None for cell in CELLS.values() for place in cell.activations}
    for means in info.implementations:
        yield from _each("cell", "implementations", means.cells, CELLS)
        yield from _each("variant", "implementations", means.variants, VARIANTS)
        for choice in means.choices:
            where = "choices of implementations"
            yield from _each("place", where, choice.places, places)
            yield from _each("function", where, choice.functions, ACTIVATIONS)
    for field, gaps in (("gaps", info.gaps), ("otherwise", info.otherwise)):
        for gap in gaps:
            yield from _each("cell", field, gap.cells, CELLS)
            yield from _each("variant", field, gap.variants, VARIANTS)
            yield from _each("direction", field, gap.directions, DIRECTIONS)
            yield from _each("dtype", field, gap.dtypes, DTYPES)
            yield from _each("task", field, gap.tasks, TASKS)
            yield from _each("function", field, gap.functions, ACTIVATIONS)
    functions = {name: None for cell in CELLS.values() for name in cell.functions}
    yield from _each("dtype", "accuracy", info.accuracy, DTYPES)
    for stated in info.accuracy.values():
        yield from _each("function", "accuracy", stated, functions)
    of = info.arithmetic
    sums = (*of.accumulators, *of.accumulators.values())
    yield from _each("dtype", "arithmetic.accumulators", sums, DTYPES)
    units = of.factor_units
    yield from _each("option", "arithmetic.factor_units", units, info.options)


def _each(
    kind: str, field: str, names: Iterable[str], known: Iterable[str]
) -> Iterator[_Named]:
    yield from ((kind, field, name, known) for name in names)


def _cases(gap: Gap, about: list[tuple[str, str]]) -> Iterator[Case]:
    """Go through possible cases of what a gap names, the rest as it usually is."""
    bias = gap.biases is not False
    for (cell, variant), direction, dtype, task in product(
        [pair for pair in about if _names_pair(gap, *pair)],
        gap.directions or ("forward",),
        gap.dtypes or ("float32",),
        gap.tasks or ("forward",),
    ):
        projection = _UNITS if gap.full_projection else _UNITS - 1
        case = Case(
            cell=cell,
            variant=variant,
            batch=1,
            steps=1,
            features=1,
            units=_UNITS,
            dtype=dtype,
            seed=0,
            projection=projection if "projection" in CELLS[cell].weights else 0,
            vocabulary=_TOKENS if variant == "variable_output" else 0,
            layers=2 if gap.stacked else 1,
            direction=direction,
            bias=bias,
            time_major=bool(gap.time_major),
            zero_length=bool(gap.zero_length),
            probe=bool(gap.probe),
            task=task,
        )
        if gap.probe:
            case = probing(case) or case
        if _is_possible(case):
            yield case


def _names_pair(gap: Gap, cell: str, variant: str) -> bool:
    in_cells = not gap.cells or bool({cell, CELLS[cell].base} & {*gap.cells})
    return in_cells and (not gap.variants or variant in gap.variants)


def _is_possible(case: Case) -> bool:
    try:
        check_case(case)
    except UsageError:
        return False
    return True
