"""The words of the contract: cell, variant, case, problem, outcome.

Sizes carry one name throughout: `B` batch, `T` steps, `D` features, `H` units, `P`
projection; `R` is the size of the recurrent output (`P` with a projection, else `H`),
`I` what a layer reads (`D`, or the outputs of the layer below), `G` gates times `H`.

`cell` has the canonical layout of the weights, whatever a framework packs them into.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from rnn_parity_core.cells import CELLS
from rnn_parity_core.functions import Array

Outcome = Mapping[str, Array]
"""What a backend returns: `outputs` `[B, T, R * directions]` and for each state of the
cell `final_h` `[L * directions, B, R]`, `final_c` `[L * directions, B, H]`; layers
first, then directions, forward before reverse."""

VARIANTS = {
    "basic": "the equations written out with tensor operations, step by step",
    "static": "a list of per-step inputs, one cell call for each",
    "static_single": "one [B, T, D] input, unstacked, cell calls, outputs stacked back",
    "dynamic": "the framework's own loop over time, or its fused kernel",
    "variable_input": "each row has its own length: zeros past it, states frozen at it",
    "variable_output": "each row feeds its own tokens to itself until the stop token",
}
"""How a framework is asked to compute the equations."""

DTYPES = {
    "float64": "f64",
    "float32": "f32",
    "bfloat16": "bf16",
    "float16": "f16",
}
"""NumPy's name of a dtype and the short form used in a case's ID."""

TASKS = {
    "forward": "outputs and final states",
    "gradient": "also the gradients of a scalar loss by everything that enters it",
    "sgd": "also all weights after each of ten updates by gradient descent",
    "adam": "the same by Adam",
}
"""What is asked of a case. The loss is the sum of outputs and final states, each
element weighted by a seeded cotangent; there is a batch for each update."""

OPTIMIZERS = ("sgd", "adam")
UPDATES = 10
LEARNING_RATE = 0.01
ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-3
"""Added to the root of the corrected second moment, as in Kingma and Ba (2015),
algorithm 1. Large, so that where a framework adds it shows in float32 too."""

INTEGER_ARRAYS = ("lengths", "start_stop", "tokens")
"""Arrays that are int32 whatever the case's dtype."""

HALF_DTYPES = ("bfloat16", "float16")

DIRECTIONS = {
    "forward": ("forward",),
    "reverse": ("reverse",),
    "bidirectional": ("forward", "reverse"),
}
"""A case's direction and the passes over time that it consists of."""


class Case(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    omit_defaults=True,
):
    """One computation, by name: nothing here depends on a framework."""

    cell: str
    variant: str
    batch: int
    steps: int
    features: int
    units: int
    dtype: str
    seed: int | None
    """Seed of every array; None stands for the notebook's recorded arrays, for those
    that `given` is the digest of, or for those of a trained network."""
    given: str = ""
    """Digest of all arrays, 16 hexadecimal digits, where somebody gave weights of their
    own: such a case is not built again from its ID."""
    trained: str = ""
    """Name of a trained network and of its batch, for cases of trained weights."""
    projection: int = 0
    """Size that `h` is projected to; 0 for cells without a projection."""
    vocabulary: int = 0
    """Number `V` of tokens in `variable_output`; 0 elsewhere."""
    layers: int = 1
    gain: float = 1.0
    """Factor of the seeded recurrent kernels; from 2 or so on a network is chaotic."""
    direction: str = "forward"
    bias: bool = True
    time_major: bool = False
    """Whether the framework is fed `[T, B, D]`; the arrays here never are."""
    zero_length: bool = False
    """Whether a row of `variable_input` has no valid step at all."""
    probe: bool = False
    """Whether inputs and initial states show every weight: see `probing`."""
    task: str = "forward"

    @property
    def id(self) -> str:
        """The case's name, unique and enough to build it again."""
        dtype = DTYPES[self.dtype]
        if self.trained:
            return f"trained-{self.trained}-{dtype}"
        if self.seed is None and not self.given:
            return f"notebook-{self.variant}-{dtype}"
        parts = [
            f"{self.cell}-{self.variant}",
            f"B{self.batch}-T{self.steps}-D{self.features}-H{self.units}",
        ]
        parts += [f"P{self.projection}"] if self.projection else []
        parts += [f"V{self.vocabulary}"] if self.vocabulary else []
        parts += [f"L{self.layers}"] if self.layers != 1 else []
        parts += [f"G{self.gain:g}"] if self.gain != 1 else []
        parts += [self.direction] if self.direction != "forward" else []
        parts += [] if self.bias else ["nobias"]
        parts += ["timemajor"] if self.time_major else []
        parts += ["zerolength"] if self.zero_length else []
        parts += ["probe"] if self.probe else []
        parts += [self.task] if self.task != "forward" else []
        origin = f"w{self.given}" if self.given else f"s{self.seed}"
        return "-".join([*parts, dtype, origin])

    @property
    def trains(self) -> bool:
        """Whether weights are updated."""
        return self.task in OPTIMIZERS

    @property
    def directions(self) -> tuple[str, ...]:
        """The passes over time of one layer."""
        return DIRECTIONS[self.direction]

    @property
    def passes(self) -> list[tuple[int, str]]:
        """Every layer and direction, in the order of states."""
        return [(n, way) for n in range(self.layers) for way in self.directions]

    @property
    def recurrent_size(self) -> int:
        """Size `R` of what a step returns."""
        return self.projection or self.units

    @property
    def output_size(self) -> int:
        """Size of the last axis of `outputs`: `R` for each direction."""
        return self.recurrent_size * len(self.directions)

    def input_size(self, layer: int) -> int:
        """Size `I` of what a layer reads."""
        return self.features if layer == 0 else self.output_size

    def shape(self, axes: str, layer: int = 0) -> tuple[int, ...]:
        """Sizes of axes, one letter each (a digit stands for itself)."""
        sizes = {
            "B": self.batch,
            "T": self.steps,
            "D": self.features,
            "H": self.units,
            "P": self.projection,
            "V": self.vocabulary,
            "R": self.recurrent_size,
            "I": self.input_size(layer),
            "G": self.units * len(CELLS[self.cell].gates),
            "3": 3,
        }
        return tuple(sizes[axis] for axis in axes)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all weights, by full name: `layer0.forward.kernel`."""
        return {
            f"layer{layer}.{way}.{name}": self.shape(axes, layer)
            for layer, way in self.passes
            for name, axes in CELLS[self.cell].weights.items()
            if self.bias or not name.endswith("bias")
        }

    def no_biases(self) -> dict[str, Array]:
        """Give zeros, float64, for the biases of a layer where there are none."""
        return {
            name: np.zeros(self.shape(axes))
            for name, axes in CELLS[self.cell].weights.items()
            if not self.bias and name.endswith("bias")
        }

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of states, over all layers and directions, by short name."""
        return {
            state: (len(self.passes), *self.shape(f"B{axis}"))
            for state, axis in CELLS[self.cell].states.items()
        }

    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of a problem's arrays, by name."""
        if self.variant == "variable_output":
            entering = {
                "embedding": self.shape("VD"),
                "readout": self.shape("RV"),
                "readout_bias": self.shape("V"),
                "start_stop": (2,),
            }
        else:
            entering = {"inputs": self.shape("BTD")}
        if self.variant == "variable_input":
            entering["lengths"] = self.shape("B")
        states = {f"initial_{n}": s for n, s in self.state_shapes().items()}
        shapes = {**entering, **states, **self.weight_shapes()}
        if self.task != "forward":
            forward = self.forward_shapes().items()
            shapes |= {f"cotangent_{name}": shape for name, shape in forward}
        if self.trains:
            shapes["later_inputs"] = (UPDATES - 1, *self.shape("BTD"))
        return shapes

    def forward_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of outputs and final states, by name."""
        states = {f"final_{n}": s for n, s in self.state_shapes().items()}
        return {"outputs": (self.batch, self.steps, self.output_size), **states}

    def layer_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the outputs of all layers below the last, by name.

        An outcome may hold them; each layer is then judged by itself.
        """
        whole = self.batch, self.steps, self.output_size
        return {f"layer{layer}.outputs": whole for layer in range(self.layers - 1)}

    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays that an outcome must hold, by name."""
        shapes = self.forward_shapes()
        if self.variant == "variable_output":
            shapes["tokens"] = self.shape("BT")
        if self.task == "gradient":
            states = {f"initial_{n}": s for n, s in self.state_shapes().items()}
            by = {"inputs": self.shape("BTD"), **states, **self.weight_shapes()}
            shapes |= {f"gradient_{name}": shape for name, shape in by.items()}
        if self.trains:
            by = self.weight_shapes()
            shapes |= {f"trained_{n}": (UPDATES, *shape) for n, shape in by.items()}
        return shapes


@dataclass(frozen=True)
class Problem:
    """A case with its arrays, all read-only and of the case's dtype."""

    case: Case
    arrays: Mapping[str, Array]
    """`inputs` `[B, T, D]`, `initial_h` `[L * directions, B, R]`, …, every weight by
    its full name, and in `variable_input` `lengths` `[B]`, int32."""
    published: Mapping[str, Array] = field(default_factory=dict)
    """Outcomes printed by somebody before us, float64; adapters never see them."""
    biases: Mapping[str, Array] = field(default_factory=dict)
    """`layer0.forward`, … → the two biases `[2, G]` that a file has, the inputs' first,
    of which `arrays` has the sum; gates in canonical order. For explanations alone."""

    def __getitem__(self, name: str) -> Array:
        """Give one array by its full name."""
        return self.arrays[name]

    def weights(self, layer: int, direction: str) -> dict[str, Array]:
        """Give the canonical weights of one layer and direction, by short name.

        A case without biases has none of them here either.
        """
        prefix = f"layer{layer}.{direction}."
        return {
            name.removeprefix(prefix): array
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }

    def initial(self, layer: int, direction: str) -> dict[str, Array]:
        """Give the initial states of one layer and direction: `h` `[B, R]`, …."""
        index = self.case.passes.index((layer, direction))
        states = CELLS[self.case.cell].states
        return {state: self.arrays[f"initial_{state}"][index] for state in states}
