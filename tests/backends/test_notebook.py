"""The notebook's eight printed tables, on every backend."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity_fixtures import catalogue
from support import BACKENDS, installed, judged


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_eight_tables_are_within_1e_6(
    backend: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    info, folder = installed(backend), RunFolder(tmp_path)
    worker = workers(backend)
    worker.load(info)
    tables = 0
    for case in catalogue.select(["notebook"], [], ["float32", "float64"]):
        result = judged(worker, info, case, folder)
        assert result.verdict == "pass", result.detail
        published = result.published
        assert published is not None
        assert published.max_abs is not None
        assert 0 < published.max_abs <= 1e-6
        tables += published.tables
    assert tables == 16  # eight in float32, eight in float64


def test_tensorflow_1_leaves_eager_mode_on(workers: Callable[[str], Worker]) -> None:
    record = workers("tensorflow:v1").load(installed("tensorflow:v1"))
    assert record.settings["eager_outside"] is True


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_says_what_it_is(
    backend: str, workers: Callable[[str], Worker]
) -> None:
    info = installed(backend)
    record = workers(backend).load(info)
    assert record.versions
    assert set(record.versions) <= set(info.requires.values())
    assert record.settings
    assert Path(record.interpreter).exists()
