"""Two cells that others wrote, as wheels: they run, pass, and their mistakes are seen.

A LayerNorm LSTM, and a matrix memory whose output is no state; in each a PyTorch and a
JAX layer, in what `new-cell` writes around them. Nothing of the project names them.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rnn_parity.adapter_tools.new_cell import write_cell_package
from support import OURS

FILES = Path(__file__).parent / "files/cells"
CELLS = ("layer_norm_lstm", "matrix_memory")
BUILT_IN = "gru-dynamic-B3-T7-D4-H5-f32-s1"
FINE = {"pass", "gap", "consistent"}
# Bounds as wide as the numbers: of a norm in bfloat16, and of gradients that went back
# through many of them. Neither right nor wrong outcomes are told there.
WIDE = {"layer_norm_lstm": 10, "matrix_memory": 0}
MISTAKES = """
import json, sys
from pathlib import Path
from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.runs.registry import known_backends
from rnn_parity_core import CELLS
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import plant

if __name__ == "__main__":
    name, out = sys.argv[1:]
    sizes = "dynamic-B3-T7-D4-H5-f64-s1", "dynamic-B2-T3-D4-H6-f64-s5"
    cases = [catalogue.case_from_id(f"{name}-{of}") for of in sizes]
    info = known_backends()[f"{name}_torch"]
    own = CELLS[name].own_mistakes
    planted = {plant(info, words).name: words for words in own}
    infos = [info, *(plant(info, words) for words in own)]
    folder = compute(cases, infos, Path(out), jobs=1, timeout=120)
    results = judge_and_write(folder).results
    print(json.dumps([
        [planted.get(r.backend, ""), r.verdict, r.explanations] for r in results
    ]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel of each package, and install both into a folder."""
    made = tmp_path_factory.mktemp("wheels")
    for name in CELLS:
        write_cell_package(name, made, set(), set())
        package = made / f"rnn-parity-{name.replace('_', '-')}/{name}_rnn_parity"
        for file in (FILES / name).glob("*.py"):
            shutil.copy(file, package)
    pip = [sys.executable, "-m", "pip"]
    build = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    folders = [str(folder) for folder in made.glob("rnn-parity-*")]
    subprocess.run([*build, "--wheel-dir", str(made), *folders], check=True)
    wheels = [str(wheel) for wheel in made.glob("*.whl")]
    assert len(wheels) == len(CELLS)
    install = [*pip, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(made / "site"), *wheels], check=True)
    return made / "site"


def python(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{OURS}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_runs_on_its_backends_beside_a_built_in_one(
    name: str, site: Path, tmp_path: Path
) -> None:
    backends = f"numpy,{name}_torch,{name}_jax"
    asked = ("--cases", f"cell:{name},{BUILT_IN}", "--backends", backends)
    done = python(site, tmp_path, "-m", "rnn_parity", "run", *asked, "--out", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    # This process knows nothing of the cell, so that it reads no report of it.
    results = json.loads((tmp_path / "out/report.json").read_text())["results"]
    found = Counter((of["backend"], of["verdict"]) for of in results)
    assert {verdict for _, verdict in found} - FINE <= {"inconclusive"}
    assert sum(n for (_, v), n in found.items() if v == "inconclusive") <= WIDE[name]
    assert all(found[backend, "pass"] >= 5 for backend in backends.split(","))
    numpys = [
        of for of in results if (of["case"], of["backend"]) == (BUILT_IN, "numpy")
    ]
    assert [of["verdict"] for of in numpys] == ["pass"]


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_its_eight_mistakes_are_caught_and_most_named(
    name: str, site: Path, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(MISTAKES)
    done = python(site, tmp_path, "script.py", name, str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    results: list[Any] = json.loads(done.stdout.splitlines()[-1])
    right = {verdict for words, verdict, _ in results if not words}
    assert right == {"pass"}
    wrong = {words for words, verdict, _ in results if words and verdict == "fail"}
    assert len(wrong) == 8
    named = {words for words, _, said in results if words and words in said[:1]}
    assert len(named) >= 6


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_proven(name: str, site: Path, tmp_path: Path) -> None:
    asked = ("conform-cell", name, "--networks", "200")
    done = python(site, tmp_path, "-m", "rnn_parity", *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"✓ {name} conforms" in done.stdout
