"""The pytest plugin: with `--parity-backends`, each case on each backend is one test.

It is loaded into every pytest run of an environment, so what it needs to do its work is
imported only when that option is given, or a test asks for the fixture `parity`.
"""

from typing import TYPE_CHECKING

import pytest

from rnn_parity_core.limits import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rnn_parity.runs.equivalence import Parity


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("rnn-parity", "numerical equivalence of recurrent layers")
    group.addoption(
        "--parity-backends",
        metavar="A,B,...",
        help="backends to test; 'all': every known one, skipped if not installed",
    )
    group.addoption(
        "--parity-cases",
        metavar="A,B,...",
        default="notebook",
        help="suites or case IDs to test them with (default: notebook)",
    )
    group.addoption(
        "--parity-timeout",
        metavar="SECONDS",
        type=float,
        default=TIMEOUT,
        help="seconds for one case on one backend (default: 300)",
    )
    group.addoption(
        "--parity-memory",
        metavar="SIZE",
        default="",
        help="what one backend's worker may hold: 4G (default: any number of bytes)",
    )
    group.addoption(
        "--parity-strict",
        action="store_true",
        help="fail what is inconclusive in suites, too, not in cases named by ID alone",
    )
    group.addoption(
        "--parity-out",
        metavar="DIR",
        default="parity-report",
        help="folder for outcomes and the report (default: parity-report)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark of the plugin's items and, if asked for, what makes them."""
    config.addinivalue_line("markers", "parity: a case of rnn-parity on a backend")
    if config.getoption("--parity-backends") is not None:
        from rnn_parity.pytest_plugin.gathering import register  # noqa: PLC0415 - see above

        register(config)


@pytest.fixture(scope="session")
def parity(pytestconfig: pytest.Config) -> "Iterator[Parity]":
    """Give `parity.assert_equivalent`, which holds a layer of yours to the cases."""
    from rnn_parity.runs.equivalence import Parity  # noqa: PLC0415 - see above

    option = pytestconfig.getoption
    timeout, memory = option("--parity-timeout"), option("--parity-memory")
    with Parity(timeout=timeout, memory=memory) as made:
        yield made
