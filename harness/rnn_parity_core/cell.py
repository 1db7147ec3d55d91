"""What a cell is: weights, states, gates, and one step, written once.

A step is a plain function over `Operations`: the judge takes it in float64, with error
bounds and backwards. Nothing outside of a cell's own module names it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from rnn_parity_core.activations import ACTIVATIONS, instead_of
from rnn_parity_core.functions import Array, Function

Step = Callable[..., dict[str, Any]]
"""Operations, `x` `[..., I]`, states and weights by name → the new states by name."""
Changes = Mapping[str, Any]
"""Keyword of a cell's step → a term in place of the published one."""
PUBLISHED: Changes = MappingProxyType({})


_MODERATE = np.linspace(-4, 4, 17)


def _always(_case: Any) -> bool:
    return True


@dataclass(frozen=True)
class Mistake:
    """What implementations are known to compute instead of a cell."""

    changes: Changes = field(default_factory=dict)
    """Keyword of the step → the term that stands there."""
    weights: Callable[[Mapping[str, Array]], dict[str, Array]] | None = None
    """Weights of a layer and direction → what is taken for some of them."""
    pairs: bool = False
    """Whether it comes with another gate order, as another convention does."""
    in_part: bool = False
    """Whether it is made in one of several places alone."""
    far_out: bool = False
    """Whether it makes a difference to large numbers alone."""
    applies: Callable[[Any], bool] = _always
    """Case → whether it can be made there, and makes a difference."""


@dataclass(frozen=True)
class Fitted:
    """A known mistake with a number in it, which is read off an outcome."""

    says: str
    """With a place for the number: `cell state clipped at {:.6g}`."""
    changes: Callable[[float], Changes]
    repeats: str = ""
    """A state, of which the number is a magnitude that comes more than once."""
    negative: bool = False
    """Whether it is the number with which negative outputs come out right, between -1
    and 1."""


@dataclass(frozen=True)
class Activation:
    """A place in a cell where a function stands that users may choose."""

    function: Function
    says: str = ""
    """What of, where there are several: ` of the candidate`."""


class Isolated(NamedTuple):
    """Weights of one unit with which a step from zeros gives a function of its input.

    Everything else in the step is then exact: gates are 0 or 1.
    """

    output: str
    """`outputs`, or the final state that it is."""
    kernel: tuple[float, ...]
    bias: tuple[float, ...]


@dataclass(frozen=True)
class Cell:
    """A recurrence: named arrays and their axes, and what becomes of them in a step."""

    name: str
    source: str
    """Where the equations are published."""
    weights: Mapping[str, str]
    """Canonical weight of one layer and direction → its axes, one letter each."""
    states: Mapping[str, str]
    """State carried from step to step → its axes, after that of rows.

    `h` is what a step returns, a state as a rule. Where it is none, a step gives it all
    the same, and nothing that a backend returns tells where its next step starts.
    """
    step: Step
    by_hand: Callable[..., dict[str, Any]]
    """The step a second time, over any framework's tensors: `x`, states and weights,
    and functions by keyword → states. On purpose: one mistake must not be in both."""
    gates: tuple[str, ...] = ()
    """Names of the blocks of `H` that `G` consists of, in canonical order."""
    activations: Mapping[str, Activation] = field(default_factory=dict)
    """Keyword of the step → the function there."""
    own_mistakes: Mapping[str, Mistake] = field(default_factory=dict)
    """In words → what is computed then, besides other activations."""
    is_linear: bool = False
    """Whether what a step gives grows with inputs, though no activation says so."""
    fitted: tuple[Fitted, ...] = ()
    isolates: Mapping[str, Isolated] = field(default_factory=dict)
    """Function → how it is seen through this cell, to be measured."""
    decoding_seeds: tuple[int, int] = (1, 1)
    """With which six rows that feed themselves say at least four different things, of
    three lengths or more, one of them up to the step limit: for one and two layers."""

    @property
    def base(self) -> str:
        """Return its name without other activations: `lstm` of `lstm.output_relu`."""
        return self.name.partition(".")[0]

    @property
    def chosen(self) -> dict[str, str]:
        """Return the name of the function at each place."""
        return {place: of.function.name for place, of in self.activations.items()}

    @property
    def functions(self) -> tuple[str, ...]:
        """Name the functions whose accuracy a backend must state."""
        used = (of.function for of in self.activations.values())
        return tuple(dict.fromkeys(f.name for f in used if not f.roundings))

    @cached_property
    def mistakes(self) -> dict[str, Mistake]:
        """Return all that is known to be computed instead, by words for it."""
        found = dict(self.own_mistakes)
        places: dict[Function, list[str]] = {}
        for place, of in self.activations.items():
            places.setdefault(of.function, []).append(place)
        for own, alike in places.items():
            for words, other in instead_of(own).items():
                far_out = bool((own.value(_MODERATE) == other.value(_MODERATE)).all())
                if len(alike) > 1:
                    found[words] = Mistake(dict.fromkeys(alike, other), far_out=far_out)
                for place in alike:
                    found[words + self.activations[place].says] = Mistake(
                        {place: other}, in_part=len(alike) > 1, far_out=far_out
                    )
        return found

    @property
    def grows(self) -> bool:
        """Whether states are not bounded, and grow with the steps."""
        bounded = (of.function.is_bounded for of in self.activations.values())
        return self.is_linear or not all(bounded)

    def changed(self, changes: Changes = PUBLISHED) -> Step:
        """Return the step with some terms in place of the published ones."""
        chosen = {name: of.function for name, of in self.activations.items()}
        return partial(self.step, **{**chosen, **changes})

    @property
    def choices(self) -> dict[str, tuple[str, Function]]:
        """Return place and function by what follows the name: `recurrent_relu`, …."""
        return {
            f"{place.removesuffix('_activation')}_{name}": (place, function)
            for place in self.activations
            for name, function in ACTIVATIONS.items()
        }

    def with_activations(self, names: list[str]) -> "Cell":
        """Return the cell with other functions, by what follows its name.

        Raises:
            KeyError: A name is of no place and function.

        """
        found, known = dict(self.activations), self.choices
        for name in names:
            place, function = known[name]
            found[place] = replace(found[place], function=function)
        return replace(self, name=".".join([self.name, *names]), activations=found)


def sums_of_gates(
    ops: Any,
    read: tuple[Any, Any],
    w: Mapping[str, Any],
    count: int,
    gates: slice,
    offset: Array | None = None,
) -> list[Any]:
    """Return gates' pre-activations: `x @ kernel + h @ recurrent_kernel + bias`.

    Args:
        ops: The arithmetic.
        read: x and h.
        w: Weights, of which `kernel`, `recurrent_kernel` and `bias` are read.
        count: How many gates stand side by side in these.
        gates: Which of them are wanted.
        offset: What of the bias a backend may keep apart, for each column.

    """
    units = w["kernel"].shape[-1] // count
    columns = (..., slice(gates.start * units, gates.stop * units))
    names = ("kernel", "recurrent_kernel")
    products = [(x, w[name][columns]) for x, name in zip(read, names, strict=True)]
    whole = ops.affine(products, w["bias"][columns], offset)
    return cut(ops, whole, gates.stop - gates.start, units)


def cut(ops: Any, whole: Any, count: int, units: int) -> list[Any]:
    """Cut a value into so many gates, along the last axis."""
    return [
        ops.take(whole, (..., slice(k * units, (k + 1) * units))) for k in range(count)
    ]


def cut_by_hand(tensor: Any, count: int) -> list[Any]:
    """Cut a framework's tensor into so many gates, along the last axis."""
    units = int(tensor.shape[-1]) // count
    return [tensor[..., k * units : (k + 1) * units] for k in range(count)]
