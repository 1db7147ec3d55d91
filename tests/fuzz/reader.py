"""What a reader is: valid files, how they are mutated, and what reads them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuzz.mutate import mutated
from rnn_parity_core.errors import ParityError

LAYERS = (
    "lstm-dynamic-B1-T1-D2-H3-L2-bidirectional-f32-s1",
    "gru-dynamic-B1-T1-D2-H3-f64-s1",
    "rnn_tanh-dynamic-B1-T1-D2-H3-f32-s2",
)
"""Of those in files of models."""


@dataclass(frozen=True)
class Reader:
    """Something that reads."""

    seeds: Callable[[], list[bytes]]
    """What it reads as it should."""
    read: Callable[[bytes, Path], object]
    """Reads bytes, by way of files in the folder alone."""
    said: tuple[type[Exception], ...] = (ParityError,)
    """How it refuses."""
    costly: int = 1
    """A suite's bounded run has so many times fewer inputs."""
    mutated: Callable[[list[bytes], tuple[int, str, int]], bytes] = mutated
    """Does something to one of the files, as `mutate.mutated` does."""
    again: Callable[[bytes, Path], object] | None = None
    """How its user reads, where `read` may die: each is read in a fork then, and what
    that dies of, or hangs in, and some others, by this too, which may not."""
    refuses: bool = False
    """Whether none of the mutated files may be read."""


def folder_name(reader: str) -> str:
    """Give the name of the folder in `found` of files that did harm to a reader."""
    return "-".join(re.findall(r"\w+", reader))


def in_file(
    name: str, read: Callable[[Path], object]
) -> Callable[[bytes, Path], object]:
    """Read bytes by what reads a file."""

    def reads(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        return read(folder / name)

    return reads
