"""What JAX compiles, it compiles once: a program for each shape, used again.

JAX itself is never imported here, only in processes started from here.
"""

import json
import subprocess
import sys

import pytest

from support import installed

CASES = (
    "gru-basic-B3-T4-D6-H5-f32",
    "gru-static-B3-T4-D6-H5-sgd-f64",
    "gru-static_single-B3-T4-D6-H5-bf16",
    "gru-dynamic-B3-T7-D4-H5-timemajor-f32",
    "gru-dynamic-B3-T7-D4-H5-reverse-gradient-f64",
    "gru-dynamic-B3-T7-D4-H5-adam-f32",
    "gru-variable_input-B3-T7-D4-H5-L2-f64",
    "lstm-variable_output-B6-T9-D4-H5-V7-f32",
)

# Runs cases of which each may name a change of the adapter to be made before, as in
# `CASE?loops._masked = f`; prints what each compiled, and the bits of its outcome.
COUNTING = """
import json, sys
import jax
from rnn_parity_backends.on_jax import adapter, loops
from rnn_parity_fixtures import catalogue
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **names: compiled.append(names.get("fun_name"))
    if event == "/jax/core/compile/backend_compile_duration" else None
)
backend = adapter.JaxBackend(jit=sys.argv[1] == "jax")
found = []
for argument in sys.argv[2:]:
    case_id, _, change = argument.partition("?")
    exec(change)
    del compiled[:]
    outcome = backend.run(catalogue.build(catalogue.case_from_id(case_id)))
    bits = {name: array.tobytes().hex() for name, array in outcome.items()}
    found.append([[*compiled], bits])
print(json.dumps(found))
"""


def run(backend: str, *arguments: str) -> list[tuple[list[str], dict[str, str]]]:
    """Give the programs that each case compiles, all in one process, and its bits."""
    installed(backend)
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, backend, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return [(programs, bits) for programs, bits in json.loads(done.stdout)]


def compiled(backend: str, *arguments: str) -> list[list[str]]:
    """Give the names of the programs that each case compiles."""
    return [programs for programs, _ in run(backend, *arguments)]


@pytest.mark.parametrize("backend", ["jax", "jax:eager"])
def test_a_second_problem_of_a_shape_compiles_nothing(backend: str) -> None:
    runs = [f"{case_id}-s{seed}" for case_id in CASES for seed in (1, 2)]
    found = compiled(backend, *runs)
    assert all(found[0::2]), found
    assert dict(zip(CASES, found[1::2], strict=True)) == {name: [] for name in CASES}


def test_a_body_that_is_new_each_time_compiles_again() -> None:
    case_id = "gru-dynamic-B3-T7-D4-H5-f32"
    change = "loops._masked = loops._masked.__wrapped__"
    found = compiled("jax:eager", f"{case_id}-s1?{change}", f"{case_id}-s2")
    assert found[1] == ["jit(scan)"]


def test_a_scan_has_a_jit_of_its_own_where_it_would_compile_again() -> None:
    # JAX may learn to keep the programs of a scan that is differentiated.
    case_id = "gru-dynamic-B3-T7-D4-H5-gradient-f32"
    change = "adapter._scan_alone = jax.lax.scan; adapter._function.cache_clear()"
    (_, bits), (_, same), (again, _) = run(
        "jax:eager", f"{case_id}-s1", f"{case_id}-s1?{change}", f"{case_id}-s2"
    )
    assert set(again) == {"jit(scan)"}
    assert same == bits


def test_layers_directions_and_lengths_share_programs() -> None:
    # D and the outputs' size are one, so that all layers read the same shape.
    found = compiled(
        "jax:eager",
        "gru-dynamic-B3-T7-D5-H5-bidirectional-f32-s1",
        "gru-dynamic-B3-T7-D5-H5-L3-f32-s1",
        "gru-variable_input-B3-T7-D5-H5-L2-reverse-f32-s1",
        "gru-variable_input-B3-T7-D5-H5-bidirectional-zerolength-f32-s1",
    )
    scans = [names.count("jit(scan)") for names in found]
    assert scans == [2, 0, 0, 0]


def test_a_row_without_steps_is_no_other_program() -> None:
    plain = "gru-variable_input-B3-T7-D4-H5-f32-s1"
    other = "gru-variable_input-B3-T7-D4-H5-zerolength-f32-s1"
    assert [len(names) for names in compiled("jax", plain, other)] == [1, 0]


@pytest.mark.parametrize(
    ("few", "compiled_again"),
    [
        ("?adapter.settings.MOST_PROGRAMS = 2", [True, True, False, True, True]),
        ("?adapter.settings.MOST_MAPS = 0", [True, True, True, True, True]),
        ("?adapter.settings.MOST_MAPS = 60_000", [True, True, False, True, False]),
    ],
)
def test_programs_are_forgotten_before_there_are_too_many(
    few: str, compiled_again: list[bool]
) -> None:
    cases = [f"gru-static-B{rows}-T4-D6-H5-f32-s1" for rows in (2, 3, 4)]
    first = run("jax", cases[0] + few, cases[1], cases[0], cases[2], cases[0])
    assert [bool(programs) for programs, _ in first] == compiled_again
    assert first[0][1] == first[2][1] == first[4][1]
