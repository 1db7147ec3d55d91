"""Worst error over bound: of one implementation, and of the worst that is found."""

from typing import NamedTuple

import numpy as np

from rnn_parity.adversary.choices import Choices
from rnn_parity.adversary.networks import Network, altered
from rnn_parity.adversary.running import run
from rnn_parity.judge.certify import Certificate, certify


class Searched(NamedTuple):
    """How near to its bounds an implementation of a network comes."""

    ratio: float
    """The worst |error| / bound."""
    part: str
    """Where that is: `steps`, `finals`, `sums of NAME`, or a gradient's name."""
    network: Network
    choices: Choices


def tried(network: Network, choices: Choices) -> Searched:
    """Run a network by an implementation, and hold what it returns to its bounds."""
    outcome = run(network.problem, network.accuracy, choices)
    with np.errstate(all="ignore"):
        certificate = certify(network.problem, outcome, network.accuracy)
    ratios = parts(certificate)
    part = max(ratios, key=lambda name: ratios[name])
    return Searched(ratios[part], part, network, choices)


def parts(certificate: Certificate) -> dict[str, float]:
    """Return the worst ratio of each part of a certificate."""
    return {
        "steps": float(certificate.ratio.max(initial=0)),
        **{f"final {n}": float(r.max()) for n, r in certificate.final_ratios.items()},
        **{
            f"sums of {name}": float(drift.ratio.max())
            for name, drift in certificate.systematic.items()
        },
        **{name: float(held.ratio.max()) for name, held in certificate.learned.items()},
    }


def searched(start: Searched, tries: int, seed: int) -> Searched:
    """Climb from one implementation of a network to a worse one.

    Args:
        start: Where to start.
        tries: Changes that are tried: of a choice, of data, or of both.
        seed: What they are drawn from.

    """
    rng, best = np.random.default_rng(seed), start
    for _ in range(tries):
        network, choices = best.network, best.choices
        way = rng.integers(3)
        if way != 1:
            places = choices.places
            place = places[rng.integers(len(places))]
            choices = choices.elsewhere(place, int(rng.integers(2**31)))
        if way != 0:
            network = altered(network, rng)
        found = tried(network, choices)
        if found.ratio >= best.ratio:
            best = found
        if best.ratio > 1:
            break
    return best
