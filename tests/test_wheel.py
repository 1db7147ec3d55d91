"""The wheel: names of our own alone, so that it breaks nobody's, and all they need."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from building import Installed, built, changed
from rnn_parity import __version__
from rnn_parity.processes.packages import PACKAGES
from rnn_parity_reports.results import read_report_document

DATA = (
    "rnn_parity/adapter_tools/templates/backend/__init__.py.jinja",
    "rnn_parity/adapter_tools/templates/backend/pyproject.toml.jinja",
    "rnn_parity/adapter_tools/templates/cell/cell.py.jinja",
    "rnn_parity_fixtures/trained/networks.toml",
    "rnn_parity_reports/report.schema.json",
    "rnn_parity_reports/templates/report.html.jinja",
    "rnn_parity_reports/templates/page/main.js",
    "rnn_parity_reports/templates/page/report.css",
    "rnn_parity_reports/templates/page/vega.js.gz",
    *(f"{package}/py.typed" for package in PACKAGES),
)
ABOUT = f"rnn_parity-{__version__}.dist-info"
DESCRIBES = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
# What repositories call packages of their own, and the project called its own before.
THEIRS = ("harness", "backends", "fixtures", "reports")
CASE = "notebook-basic-f32"
CHOSEN = ("--cases", CASE, "--backends", "numpy")
PLUGIN = ("--parity-cases", CASE, "--parity-backends", "numpy")


def sources(checkout: Path) -> set[str]:
    """Give the files of our packages, as git would check them out."""
    return {
        str(path.relative_to(root))
        for root in (checkout / name for name in THEIRS)
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file()
    }


def wrong(wheel: Path, checkout: Path) -> set[str]:
    """Give the files that a wheel has too many, and those that it lacks."""
    with zipfile.ZipFile(wheel) as files:
        held = {name for name in files.namelist() if not name.endswith("/")}
    wanted = {*sources(checkout), *DATA, *(f"{ABOUT}/{name}" for name in DESCRIBES)}
    return held ^ wanted


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkout")


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    return built(checkout)


def test_it_holds_our_five_packages_whole_and_nothing_else(
    wheel: Path, checkout: Path
) -> None:
    assert wrong(wheel, checkout) == set()
    with zipfile.ZipFile(wheel) as files:
        tops = {name.partition("/")[0] for name in files.namelist()}
    assert tops == {*PACKAGES, ABOUT}
    assert len(PACKAGES) == 5
    assert not tops & {*THEIRS, "tests", "benchmarks"}


@pytest.mark.parametrize(
    "name",
    [
        *(f"{name}/__init__.py" for name in THEIRS),
        *("fixtures.py", "tests/test_own.py", "rnn_parity.pth", "rnn_parity_core/x.py"),
        *(f"rnn_parity-{__version__}.data/scripts/pytest", f"{ABOUT}/top_level.txt"),
    ],
)
def test_what_it_has_too_much_is_found(
    name: str, wheel: Path, checkout: Path, tmp_path: Path
) -> None:
    assert wrong(changed(wheel, tmp_path, add={name: ""}), checkout) == {name}


@pytest.mark.parametrize("name", [*DATA, "rnn_parity/cli/__init__.py"])
def test_what_it_lacks_is_found(
    name: str, wheel: Path, checkout: Path, tmp_path: Path
) -> None:
    assert wrong(changed(wheel, tmp_path, drop=[name]), checkout) == {name}


LAYER = """
import numpy as np

def test_layer(parity):
    def layer(problem):
        (h,), rows = problem["initial_h"], []
        weights = problem.weights(0, "forward")
        for x in problem["inputs"].swapaxes(0, 1):
            sums = x @ weights["kernel"] + h @ weights["recurrent_kernel"]
            h = np.tanh(sums + weights["bias"])
            rows.append(h)
        return {"outputs": np.stack(rows, axis=1), "final_h": h[None]}

    case = "rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1"
    parity.assert_equivalent(layer, case=case, reference="numpy")
"""


def repository(folder: Path, *, inits: bool) -> Path:
    """Make a repository with packages of its own, and tests that import these."""
    own = ["import rnn_parity", ""]
    for name in THEIRS:
        (folder / name).mkdir(parents=True)
        (folder / name / "data.py").write_text(f"VALUE = 'of their {name}'\n")
        if inits:
            (folder / name / "__init__.py").touch()
        own += [f"from {name}.data import VALUE as {name}"]
    own += ["", "def test_own():"]
    own += [f"    assert {name} == 'of their {name}'" for name in THEIRS]
    (folder / "conftest.py").touch()  # so that pytest imports from this folder
    (folder / "tests").mkdir()
    (folder / "tests/test_own.py").write_text("\n".join(own))
    (folder / "tests/test_layer.py").write_text(LAYER)
    return folder


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Give an environment with nothing but the wheel and what it needs."""
    made = Installed(tmp_path_factory.mktemp("environment") / "venv")
    made.install(wheel)
    return made


PLANTED = {"fixtures/__init__.py": ""}


def assert_passes(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert words in done.stdout


def assert_runs(
    environment: Installed, folder: Path, *program: str, out: str = "out"
) -> None:
    """See that a program runs the case, and that it passes."""
    done = environment.run(folder, *program, "run", *CHOSEN, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = read_report_document(folder / out).results
    assert (result.case, result.backend, result.verdict) == (CASE, "numpy", "pass")


@pytest.mark.slow
@pytest.mark.parametrize("inits", [True, False], ids=["packages", "namespaces"])
def test_a_repository_keeps_its_own_packages_and_has_ours(
    inits: bool, environment: Installed, tmp_path: Path
) -> None:
    folder = repository(tmp_path / "theirs", inits=inits)
    for number, program in enumerate((["pytest"], ["python", "-m", "pytest"])):
        assert_passes(environment.run(folder, *program), "2 passed")
        out = ("--parity-out", f"plugin{number}")
        assert_passes(environment.run(folder, *program, *PLUGIN, *out), "3 passed")
    assert_runs(environment, folder, "rnn-parity", out="command")
    assert_runs(environment, folder, "python", "-m", "rnn_parity", out="module")


@pytest.mark.slow
def test_it_is_the_wheel_that_is_tried(environment: Installed, tmp_path: Path) -> None:
    names = ", ".join(PACKAGES)
    script = f"import {names}\nprint(*(m.__file__ for m in ({names})))"
    done = environment.run(tmp_path, "python", "-c", script)
    assert done.returncode == 0, done.stderr
    found = {Path(path).parents[1] for path in done.stdout.split()}
    assert found == {environment.site}
    environment.pip("check")


@pytest.mark.slow
def test_a_wheel_with_one_of_their_names_breaks_their_tests(
    wheel: Path, tmp_path: Path
) -> None:
    broken = Installed(tmp_path / "venv")
    broken.install(changed(wheel, tmp_path / "wheel", add=PLANTED))
    folder = repository(tmp_path / "theirs", inits=False)
    done = broken.run(folder, "pytest", "tests/test_own.py")
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "No module named 'fixtures.data'" in done.stdout


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel of the distribution `fixtures`, which an index has."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*pip, "--dest", folder, "fixtures"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [*folder.glob("fixtures-*.whl")]
    if done.returncode or not found:
        pytest.skip(f"fixtures cannot be downloaded: {done.stderr.strip()[-200:]}")
    return found[0]


TEMPORARY = """
from pathlib import Path
import fixtures

def test_theirs():
    with fixtures.TempDir() as made:
        path = Path(made.path)
        assert path.is_dir()
    assert not path.exists()
"""

Works = Callable[[Installed, Path], None]


def theirs_works(environment: Installed, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "test_theirs.py").write_text(TEMPORARY)
    assert_passes(environment.run(folder, "pytest", "test_theirs.py"), "1 passed")


def ours_works(environment: Installed, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    assert_runs(environment, folder, "rnn-parity")


OTHERS: dict[str, tuple[str, Works]] = {
    "fixtures": ("rnn_parity", ours_works),
    "rnn-parity": ("fixtures", theirs_works),
}


@pytest.mark.slow
@pytest.mark.parametrize("first", OTHERS)
def test_it_lives_beside_the_distribution_fixtures_whichever_comes_first(
    first: str, wheel: Path, fixtures: Path, tmp_path: Path
) -> None:
    made = Installed(tmp_path / "venv")
    both = [wheel, fixtures] if first == "rnn-parity" else [fixtures, wheel]
    for each in both:
        made.install(each)
    theirs_works(made, tmp_path / "both")
    ours_works(made, tmp_path / "both")
    for removed, (left, works) in OTHERS.items():
        before = made.files(left)
        assert before
        made.uninstall(removed)
        assert made.files(left) == before
        works(made, tmp_path / removed)
        made.install(wheel if removed == "rnn-parity" else fixtures)


@pytest.mark.slow
def test_a_wheel_with_its_name_takes_it_along(
    wheel: Path, fixtures: Path, tmp_path: Path
) -> None:
    made = Installed(tmp_path / "venv")
    made.install(fixtures)
    made.install(changed(wheel, tmp_path / "wheel", add=PLANTED))
    with pytest.raises(AssertionError, match="has no attribute 'TempDir'"):
        theirs_works(made, tmp_path / "theirs")
