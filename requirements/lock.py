"""Write the lists that `make compare` installs from: each version, its files' hashes.

Versions that are in the lists stay; `make lock UPGRADE=--upgrade` moves them.
"""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent
PROJECT = FOLDER.parent / "pyproject.toml"
# What builds this package, and the one dependency that comes as source alone.
BUILDERS = "editables\nhatchling\nsetuptools\n"
# PyTorch, and what its builds for CUDA need and those for the CPU do not.
TORCH = re.compile(r"torch==|cuda-|nvidia-|triton==")
HEADERS = {
    "base": "The base install, and what builds it.",
    "all": "On top of base.txt: every extra but PyTorch, and `dev`.",
    "torch": "On top of all.txt: PyTorch of an index, on Linux with CUDA's libraries.",
    "torch-cpu": "Instead of torch.txt: builds for the CPU, which no index has.",
    "release": "On top of base.txt: what describes a release.",
    "test": "On top of base.txt: what the tests of NumPy and of JAX need.",
}


def lines_of(text: str) -> dict[str, str]:
    """Give each distribution's lines by its name."""
    entries = re.findall(r"^[a-z0-9].*(?:\n +--hash=.*)+\n", text, re.MULTILINE)
    return {entry.partition("==")[0]: entry for entry in entries}


def compiled(known: str, *arguments: str) -> dict[str, str]:
    """Resolve with uv, for every platform; versions in `known` are preferred."""
    with TemporaryDirectory() as folder:
        out, builders = Path(folder, "lock.txt"), Path(folder, "builders.in")
        out.write_text(known, encoding="utf-8")
        builders.write_text(BUILDERS, encoding="utf-8")
        uv = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"]
        options = ["--generate-hashes", "--no-annotate", "--no-header"]
        files = ["--output-file", out, PROJECT, builders]
        subprocess.run([*uv, *options, *arguments, *files], check=True)  # noqa: S603
        return lines_of(out.read_text(encoding="utf-8"))


def cpu_builds(entry: str) -> str:
    """Give PyTorch's lines with the hashes of its builds in PIP_FIND_LINKS, if any."""
    version = re.split(r"==| ", entry)[1]
    folders = os.environ.get("PIP_FIND_LINKS", "").split()
    wheels = [w for f in folders for w in Path(f).glob(f"torch-{version}+cpu-*.whl")]
    hashes = sorted(hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels)
    lines = [f" \\\n    --hash=sha256:{each}" for each in hashes]
    return f"torch=={version}{''.join(lines)}\n" if lines else ""


def main(upgrade: list[str]) -> None:
    """Write the lists anew; that of builds for the CPU only where there are any."""
    files = {name: FOLDER / f"{name}.txt" for name in HEADERS}
    known = "".join(f.read_text("utf-8") for f in files.values() if f.exists())
    whole = compiled(known, "--extra", "all", "--extra", "dev", *upgrade)
    pinned = "".join(whole.values())
    base = compiled(pinned).keys()
    release = compiled(pinned, "--extra", "release").keys() - base
    torch = {name for name, entry in whole.items() if TORCH.match(entry)}
    test = compiled(pinned, "--extra", "test").keys() - base
    parts = {"base": base, "torch": torch, "release": release, "test": test}
    parts["all"] = whole.keys() - base - torch
    texts = {
        part: "".join(whole[name] for name in sorted(names))
        for part, names in parts.items()
    }
    texts["torch-cpu"] = cpu_builds(whole["torch"])
    for name, text in texts.items():
        if text:
            header = f"# {HEADERS[name]} Written by `make lock`.\n"
            files[name].write_text(header + text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
