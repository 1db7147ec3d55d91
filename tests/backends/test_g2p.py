"""A trained network reads 2,000 words and says their phonemes, on every backend."""

from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import pytest

import g2p
from rnn_parity.judge.certify import certify
from rnn_parity.judge.decode import lengths_of
from rnn_parity.workers.process import Worker
from rnn_parity_backends import on_numpy
from rnn_parity_core import Outcome, Problem
from rnn_parity_core.arrays import unpack
from support import BACKENDS, installed

BATCH = 500


@pytest.fixture(autouse=True)
def _package() -> None:
    try:
        version("g2p-en")
    except PackageNotFoundError:
        pytest.skip("g2p-en not installed; install with: pip install g2p-en==2.1.0")


@cache
def expected() -> list[list[int]]:
    return g2p.plain_decoding(g2p.words())


def computed(worker: Worker, backend: str, problem: Problem) -> Outcome:
    kind, *rest = worker.run(backend, problem, 120)
    assert kind == "outcome", rest
    return unpack(rest[0], backend)[0]


def answers(
    worker: Worker, backend: str, words: list[str]
) -> Iterator[tuple[Problem, Outcome, Problem, Outcome]]:
    """Read words and say them, batch by batch."""
    for start in range(0, len(words), BATCH):
        encoding = g2p.encoder(words[start : start + BATCH])
        read = computed(worker, backend, encoding)
        decoding = g2p.decoder(read["final_h"])
        yield encoding, read, decoding, computed(worker, backend, decoding)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_says_the_phonemes_of_plain_decoding(
    backend: str, workers: Callable[[str], Worker]
) -> None:
    worker, info = workers(backend), installed(backend)
    if gap := info.gap(g2p.encoder(["word"]).case):
        pytest.skip(f"{backend} has no such GRU: {gap.reason}")
    worker.load(info)
    said: list[list[int]] = []
    for _, _, _, outcome in answers(worker, backend, g2p.words()):
        lengths = lengths_of(outcome["tokens"], g2p.STOP)
        rows = zip(outcome["tokens"].tolist(), lengths.tolist(), strict=True)
        said += [row[:length] for row, length in rows]
    wrong = [
        word
        for word, row, want in zip(g2p.words(), said, expected(), strict=True)
        if row != want
    ]
    assert wrong == []


def test_both_networks_are_certified_at_every_step_on_numpy(
    workers: Callable[[str], Worker],
) -> None:
    worker, info = workers("numpy"), on_numpy.INFO
    worker.load(info)
    sample = g2p.words()[::20]  # all of them take half a minute
    for encoding, read, decoding, outcome in answers(worker, "numpy", sample):
        assert (
            certify(encoding, read, info.accuracy_for(encoding.case)).bound_ratio <= 1
        )
        spoken = certify(decoding, outcome, info.accuracy_for(decoding.case))
        assert spoken.bound_ratio <= 1
        assert spoken.choices is not None
        assert spoken.choices.differs == []
