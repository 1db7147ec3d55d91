"""The same computations, each compiled whole by `torch.compile`, or declined.

Nothing falls back to eager mode: a graph break, a second compilation and a limit that
is hit are errors, whatever the environment says.
"""

import subprocess
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace
from torch._dynamo import config as dynamo
from torch._dynamo.exc import Unsupported as Untraceable
from torch._dynamo.exc import UserError
from torch._inductor import config as inductor
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.cpu_vec_isa import pick_vec_isa
from torch._inductor.exc import InvalidCxxCompiler

from rnn_parity_backends.on_torch.adapter import TorchBackend
from rnn_parity_backends.on_torch.cells import Compute, Tensors
from rnn_parity_backends.on_torch.graph import graph_of
from rnn_parity_core import Absent, Case, Problem, Scalar, Unsupported
from rnn_parity_core.graph import Graph

# PyTorch 2.13 takes the layer without a workspace for what needs no gradient by its
# inputs, and then fails to save one for the weights'.
_ONEDNN_LAYER = "mkldnn_rnn_layer"


class CompiledBackend(TorchBackend):
    """Compiles a case by inductor, once for all seeds; holds the latest one alone.

    Args:
        options: Those of `TorchBackend`.

    Raises:
        Absent: There is no such device here, or no C++ compiler.

    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        inductor.deterministic = torch.are_deterministic_algorithms_enabled()
        try:
            self._compiler = get_cpp_compiler()
        except InvalidCxxCompiler as error:
            raise Absent(
                "inductor finds no C++ compiler: install one, such as g++, or name it "
                "by the environment variable CXX"
            ) from error
        dynamo.disable = False
        dynamo.suppress_errors = False
        dynamo.error_on_recompile = True
        # Without it nn.RNN, nn.LSTM and nn.GRU would not be traced into.
        dynamo.allow_rnn = True
        self._latest: tuple[Case, Compute] | None = None

    def settings(self) -> dict[str, Scalar]:
        """Report what is in force, and what generates code and from what."""
        return {
            **super().settings(),
            "compiler": "inductor",
            "cxx": f"{Path(self._compiler).name} {_version(self._compiler)}",
            "vector_isa": str(pick_vec_isa()) or "none",
        }

    def graph(self, problem: Problem) -> Graph:
        """Give what Dynamo captures of what `run` calls, and hands to inductor.

        Raises:
            Unsupported: It has no one graph.

        """
        if problem.case.task != "forward":
            raise Unsupported("gradients are autograd's tape, no part of a graph")
        captured: list[Any] = []

        def keep(module: Any, _: Any) -> Any:
            captured.append(module)
            return module.forward

        torch.compiler.reset()
        compute = super()._compute(problem.case)
        with torch.inference_mode():
            program = _Program(problem.case, compute, keep)
            program(Problem(problem.case, self._tensors(problem)))
        torch.compiler.reset()
        self._latest = None
        return graph_of(captured[0].graph, "Dynamo's FX graph")

    def _compute(self, case: Case) -> Compute:
        """Give the compiled program, an old one if all but the seed is the same."""
        shape = replace(case, seed=0)
        if self._latest is None or self._latest[0] != shape:
            torch.compiler.reset()
            self._latest = shape, _Program(shape, super()._compute(case))
        return self._latest[1]


class _Program:
    """What computes problems of one case; compiled when it is first called."""

    def __init__(self, case: Case, compute: Compute, backend: Any = "inductor") -> None:
        self._eager = compute
        self._called = False
        self._compiled = torch.compile(
            lambda tensors: compute(Problem(case, tensors)),
            backend=backend,
            fullgraph=True,
            dynamic=False,
        )

    def __call__(self, problem: Problem) -> Tensors:
        if not self._called:
            # Layers ask whether their weights are those of the last call. They never
            # are, but at a first call, whose program would then not fit the second.
            self._eager(problem)
            self._called = True
        try:
            found: Tensors = self._compiled(dict(problem.arrays))
        except (Untraceable, UserError) as error:
            raise Unsupported(f"torch.compile: {error}") from error
        except TypeError as error:
            if _ONEDNN_LAYER not in str(error):
                raise
            raise Unsupported(f"torch.compile: {error}") from error
        return found


def _version(compiler: str) -> str:
    asked = subprocess.run(  # noqa: S603 - the compiler that PyTorch found
        [compiler, "-dumpfullversion", "-dumpversion"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "of unknown version"
