"""What keeping memory spares: the system gives the same pages again and again."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from rnn_parity.judge.allocator import keep_memory
KEEP
def work():
    for _ in range(10):
        [np.ones(2**18) for _ in range(16)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def new_pages(keep: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("KEEP", keep)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_arrays_of_the_same_size_get_the_same_memory_again() -> None:
    assert new_pages("keep_memory()") < 100
    assert new_pages("") > 1000  # what there is to spare
