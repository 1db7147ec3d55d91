"""The pytest plugin: with `--parity-backends`, each case on each backend is one test.

It is loaded into every pytest run of an environment, so what it needs to do its work is
imported only when that option is given.
"""

import pytest


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
        default=300.0,
        help="seconds for one case on one backend (default: 300)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark that every item of the plugin carries."""
    config.addinivalue_line("markers", "parity: a case of rnn-parity on a backend")


@pytest.hookimpl(tryfirst=True)  # before -k, -m and --lf choose among the items
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add one item for each case on each backend."""
    if config.getoption("--parity-backends") is not None:
        from harness.pytest_items import parity_items  # noqa: PLC0415 - see above

        items += parity_items(session)
