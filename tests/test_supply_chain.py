"""What is installed has the hashes that are listed; what runs elsewhere is pinned."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LISTS = sorted(ROOT.glob("requirements/*.txt"))
WORKFLOWS = sorted(ROOT.glob(".github/**/*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ENTRY = re.compile(
    r"([a-z0-9-]+)==([\w.]+)(?: ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)


def listed(text: str) -> dict[str, str]:
    """Give each one's version; what is not pinned, or has no hash, is refused."""
    comment, _, rest = text.partition("\n")
    assert comment.startswith("# ")
    assert ENTRY.sub("", rest) == "", "a line that is no version with hashes"
    return {name: version for name, version, _ in ENTRY.findall(rest)}


def of(name: str) -> dict[str, str]:
    return listed((ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "line",
    [
        "numpy==2.4.6\n",
        f"numpy>=2.4 \\\n    --hash=sha256:{'0' * 64}\n",
        f"numpy==2.4.* \\\n    --hash=sha256:{'0' * 64}\n",
        f"numpy==2.4.6 \\\n    --hash=md5:{'0' * 32}\n",
        "--extra-index-url https://example.org/simple\n",
        "--find-links /wheels\n",
        f"numpy @ https://example.org/numpy.whl#sha256={'0' * 64}\n",
        "# via -r /home/somebody/pyproject.toml\n",
    ],
)
def test_a_line_that_is_no_version_with_hashes_is_found(line: str) -> None:
    text = (ROOT / "requirements/base.txt").read_text(encoding="utf-8")
    with pytest.raises(AssertionError, match="no version with hashes"):
        listed(text + line)


def test_lists_hold_versions_with_hashes_alone_and_one_version_of_each() -> None:
    versions: dict[str, set[str]] = {}
    for path in LISTS:
        for name, version in of(path.stem).items():
            versions.setdefault(name, set()).add(version)
    assert {name: each for name, each in versions.items() if len(each) > 1} == {}
    assert of("torch-cpu").keys() == {"torch"}
    assert not of("all").keys() & (of("base").keys() | of("torch").keys())


def missing(needed: list[str], available: dict[str, str]) -> list[str]:
    """Give what is needed and is not listed in a version that would do."""
    requirements = [Requirement(each) for each in needed]
    return [
        str(each)
        for each in requirements
        if (name := canonicalize_name(each.name)) != PROJECT["project"]["name"]
        and not each.specifier.contains(available.get(name, "0.dev0"))
    ]


def test_all_that_the_project_names_is_listed() -> None:
    project, base = PROJECT["project"], of("base")
    everything = base | of("all") | of("torch")
    assert (
        missing(project["dependencies"] + PROJECT["build-system"]["requires"], base)
        == []
    )
    extras = project["optional-dependencies"]
    assert (
        missing([each for extra in extras.values() for each in extra], everything) == []
    )
    assert missing(extras["release"], base | of("release")) == []
    assert missing(["numpy>=99", "not-there>=1"], everything) == [
        "numpy>=99",
        "not-there>=1",
    ]


def wheel(folder: Path, name: str, code: str = "") -> str:
    """Write a wheel of one module, and give its line in a list."""
    path, about = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": code,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(zipfile.ZipInfo(file), text)  # always of one date
    return f"{name}==1.0 --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"


@pytest.mark.slow
def test_make_installs_nothing_that_has_another_hash_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    lists, wheels = tmp_path / "requirements", tmp_path / "wheels"
    lists.mkdir()
    wheels.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    honest = {name: wheel(wheels, name) for name in ("base", "all", "torch")}
    (tmp_path / "pyproject.toml").touch()

    def made(**lines: str) -> tuple[str, set[str]]:
        for name, line in {**honest, "torch-cpu": honest["torch"], **lines}.items():
            (lists / f"{name}.txt").write_text(line, encoding="utf-8")
        command = ["make", f"PYTHON={sys.executable}", ".venv/.installed"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2  # at the latest as nothing is here to be built
        installed = tmp_path.glob(".venv/lib/python*/site-packages/*-1.0.dist-info")
        return done.stderr, {path.name.partition("-")[0] for path in installed}

    said, installed = made(base="base==1.0\n")
    assert "Hashes are required" in said
    assert installed == set()
    wheel(wheels, "all", "print('somebody else was here')")
    said, installed = made()
    assert "DO NOT MATCH THE HASHES" in said
    assert installed == {"base"}
    wheel(wheels, "all")
    wheel(wheels, "torch", "print('somebody else was here')")
    said, installed = made()
    assert "DO NOT MATCH THE HASHES" in said
    assert installed == {"base", "all"}
    wheel(wheels, "torch")
    said, installed = made()
    assert "DO NOT MATCH" not in said
    assert installed == {"base", "all", "torch"}


def parts(workflow: str) -> Iterator[dict[str, Any]]:
    """Give a workflow's jobs and their steps."""
    for job in yaml.safe_load(workflow)["jobs"].values():
        yield job
        yield from job.get("steps", [])


def loose(workflow: str) -> list[str]:
    """Give the actions that are not pinned by a commit, with its tag beside it."""
    pinned = r"uses: ([\w./-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+$"
    found = re.findall(pinned, workflow, re.MULTILINE)
    used = [part["uses"] for part in parts(workflow) if "uses" in part]
    elsewhere = [each for each in used if not each.startswith("./")]
    return [each for each in elsewhere if each.partition("@")[0] not in found]


@pytest.mark.parametrize(
    "uses",
    [
        "actions/checkout@v7",
        "actions/checkout@main # v7.0.1",
        "actions/checkout@3d3c42e5aac5 # v7.0.1",
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
    ],
)
def test_an_action_that_could_become_another_is_found(uses: str) -> None:
    assert loose(f"jobs:\n  one:\n    steps:\n      - uses: {uses}\n") != []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_get_no_more_than_they_need(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    whole = yaml.safe_load(text)
    if path.name == "dependabot.yml":
        ecosystems = [each["package-ecosystem"] for each in whole["updates"]]
        assert ecosystems == ["github-actions", "pip"]
        return
    assert loose(text) == []
    assert "pull_request_target" not in text
    assert "secrets." not in text
    assert set(whole["permissions"].values() if whole["permissions"] else []) <= {
        "read"
    }
    for part in parts(text):
        assert "${{" not in part.get("run", "")  # names become no commands
        if part.get("uses", "").startswith("actions/checkout@"):
            assert part["with"]["persist-credentials"] is False


def test_every_workflow_has_the_same_commit_of_an_action() -> None:
    commits: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for name, commit in re.findall(r"uses: (.+)@(.+)", path.read_text("utf-8")):
            commits.setdefault(name, set()).add(commit)
    assert {name for name, each in commits.items() if len(each) > 1} == set()
