"""What JAX compiled is kept for the next run, gives the same bits, and is one's own.

JAX itself is never imported here, only in processes started from here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rnn_parity_core.cache_dir import CACHE, cache_folder
from support import installed

CASES = (
    "lstm-dynamic-B3-T7-D4-H5-f32-s1",
    "gru-variable_input-B3-T7-D4-H5-gradient-f64-s1",
    "rnn_tanh-dynamic-B3-T7-D4-H5-adam-f64-s1",
)

RUN = """
import json, os, sys
from jax import monitoring
found = []
monitoring.register_event_listener(lambda event, **_: found.append(event))
from rnn_parity_backends.on_jax.adapter import JaxBackend
from rnn_parity_fixtures import catalogue
backend = JaxBackend(**json.loads(sys.argv[1]))
problems = [catalogue.build(catalogue.case_from_id(name)) for name in sys.argv[2:]]
outcomes = [backend.run(problem) for problem in problems]
bits = [{n: a.tobytes().hex() for n, a in sorted(of.items())} for of in outcomes]
events = {"hits": 0, "misses": 0}
for name in events:
    events[name] = found.count(f"/jax/compilation_cache/cache_{name}")
print(json.dumps([bits, events]))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kept on Linux alone")


def said(kept: str, **options: Any) -> tuple[Any, dict[str, int], str]:
    installed("jax")
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps({"jit": True, **options}), *CASES],
        env={**os.environ, CACHE: kept},
        capture_output=True,
        text=True,
        check=True,
    )
    bits, events = json.loads(done.stdout)
    return bits, events, done.stderr


def folders(kept: Path) -> set[Path]:
    return set((kept / "jax").iterdir())


def test_kept_programs_are_used_and_give_the_same_bits(tmp_path: Path) -> None:
    none, nothing, _ = said("")
    first, compiled, _ = said(str(tmp_path / "kept"))
    second, found, _ = said(str(tmp_path / "kept"))
    assert none == first == second
    assert nothing == {"hits": 0, "misses": 0}
    assert compiled["misses"] > 0
    assert found == {"hits": compiled["misses"] + compiled["hits"], "misses": 0}


def test_other_threads_get_no_program_that_was_divided_for_ours(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    said(str(kept))
    before = folders(kept)
    _, found, _ = said(str(kept), threads=1)
    assert found["misses"] > 0
    assert len(folders(kept) - before) == 1


def test_a_broken_program_is_compiled_again(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    right, _, _ = said(str(kept))
    for path in kept.rglob("*-cache"):
        path.write_bytes(path.read_bytes()[:100])
    again, found, log = said(str(kept))
    assert again == right
    assert found["hits"] == 0
    assert "Error reading persistent compilation cache" in log


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    kept.chmod(0o777)
    _, found, log = said(str(kept))
    assert found == {"hits": 0, "misses": 0}
    assert f"compiled programs are not kept: {kept} can be written by others" in log
    assert [*kept.iterdir()] == []


def test_nobody_else_can_write_to_what_is_made(tmp_path: Path) -> None:
    said(str(tmp_path / "kept"))
    made = [tmp_path / "kept", tmp_path / "kept" / "jax", *folders(tmp_path / "kept")]
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}


def test_the_folder_is_that_of_caches_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(CACHE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == str(tmp_path / "rnn-parity")
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")  # not absolute: to be ignored
    assert cache_folder() == str(Path.home() / ".cache" / "rnn-parity")
    monkeypatch.setenv(CACHE, "")
    assert cache_folder() == ""
