"""Backends are found: built in, and by entry points of installed distributions."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from rnn_parity.runs.registry import (
    absence,
    known_backends,
    missing,
    select_backends,
    with_settings,
)
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import (
    ParityError,
    Scalar,
    UsageError,
)

NAMES = [
    "numpy",
    "tensorflow",
    "tensorflow:v1",
    "torch",
    "jax",
    "jax:eager",
]

ACME = """
from msgspec.structs import replace
from rnn_parity_backends.on_numpy import INFO as NUMPY

INFO = replace(NUMPY, name="acme")
TWIN = replace(NUMPY, name="torch")
WORDS = "no info"
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Give a function that installs a distribution `acme` with an entry point."""

    def installed(value: str, source: str = ACME) -> None:
        info = tmp_path / "acme-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: acme\nVersion: 1\n"
        )
        (info / "entry_points.txt").write_text(
            f"[rnn_parity.backends]\npoint = {value}\n"
        )
        (tmp_path / "acme_rnn.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)

    yield installed
    sys.modules.pop("acme_rnn", None)


def test_the_six_built_in_backends_are_known_by_name_in_order() -> None:
    found = known_backends()
    assert list(found)[:6] == NAMES
    assert all(name == info.name for name, info in found.items())


def test_named_backends_come_in_the_order_named_and_once() -> None:
    chosen = select_backends(["numpy", "numpy"])
    assert chosen == [INFO]


def test_an_unknown_backend_is_refused_with_what_was_probably_meant() -> None:
    with pytest.raises(
        UsageError, match=r"unknown backend 'numpi'; did you mean numpy\?"
    ):
        select_backends(["numpi"])


def test_no_name_chooses_every_known_backend_installed_or_not() -> None:
    assert [info.name for info in select_backends([])][:6] == NAMES


def test_a_named_backend_that_is_absent_is_refused_with_the_command_that_installs_it(
    install: Install,
) -> None:
    changes = 'requires={"nonesuch_": "nonesuch-dist"}, install="pip install nonesuch"'
    install("acme_rnn:INFO", ACME.replace('name="acme"', f'name="acme", {changes}'))
    words = (
        "nonesuch-dist not installed; install with: pip install nonesuch"  # the hint
    )
    with pytest.raises(UsageError, match=f"acme cannot run here: {words}"):
        select_backends(["acme"])
    assert absence(known_backends()["acme"]) == words
    assert "acme" in [info.name for info in select_backends([])]


def test_a_requirement_inside_a_package_that_is_absent_is_missing() -> None:
    info = msgspec.structs.replace(INFO, requires={"nonesuch_.rnn": "nonesuch"})
    assert missing(info) == ["nonesuch"]


def test_a_backend_of_an_installed_distribution_is_found_after_the_built_in_ones(
    install: Install,
) -> None:
    install("acme_rnn:INFO")
    assert [*known_backends()][-1] == "acme"
    assert select_backends(["acme"])[0].adapter == INFO.adapter


@pytest.mark.parametrize(
    ("value", "source", "words"),
    [
        ("acme_rnn:INFO", "1 / 0", "cannot be loaded: ZeroDivisionError"),
        ("acme_rnn:INFO", "import nonesuch_", "cannot be loaded: ModuleNotFoundError"),
        ("acme_rnn:NONE", ACME, "cannot be loaded: AttributeError"),
        ("acme_rnn:WORDS", ACME, "is a str, expected a BackendInfo"),
        ("acme_rnn:TWIN", ACME, "takes the name 'torch', which is in use"),
    ],
)
def test_an_entry_point_that_leads_to_no_new_backend_is_an_error_that_names_it(
    value: str, source: str, words: str, install: Install
) -> None:
    install(value, source)
    with pytest.raises(ParityError) as caught:
        known_backends()
    assert str(caught.value).startswith(f"entry point point = '{value}' {words}")


def test_settings_in_a_name_become_options_of_their_types() -> None:
    options: dict[str, Scalar] = {"tf32": False, "threads": 0, "device": "cpu"}
    settings = ("tf32", "threads", "kernel")
    info = msgspec.structs.replace(
        INFO, options={**options, "kernel": "fused"}, settings=settings
    )
    known = {"numpy": info}
    name = "numpy+tf32=on+threads=12+kernel=plain"
    found = with_settings(known, name)
    assert found.name == name
    assert found.options == {
        "tf32": True,
        "threads": 12,
        "device": "cpu",
        "kernel": "plain",
    }
    assert with_settings(known, "numpy") is info
    assert with_settings(known, "numpy+tf32=off").options["tf32"] is False


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nunpy+tf32=on", r"unknown backend 'nunpy'; did you mean numpy\?"),
        ("numpy+tf23=on", r"unknown setting of numpy 'tf23'; did you mean tf32\?"),
        ("numpy+device=cuda", "unknown setting of numpy 'device'"),
        ("numpy+tf32", "numpy[+]tf32 is a switch: numpy[+]tf32=on or"),
        ("numpy+tf32=yes", "numpy[+]tf32 is a switch: .* not 'yes'"),
        ("numpy+threads=-1", "numpy[+]threads is a number, as in .*=0; not '-1'"),
        ("numpy+threads=99999999", "numpy[+]threads is a number"),
        ("numpy+", "unknown setting of numpy ''"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_refused(name: str, words: str) -> None:
    options: dict[str, Scalar] = {"tf32": False, "threads": 0, "device": "cpu"}
    info = msgspec.structs.replace(INFO, options=options, settings=("tf32", "threads"))
    with pytest.raises(UsageError, match=words):
        with_settings({"numpy": info}, name)


def test_a_backend_on_request_runs_only_if_it_is_named(install: Install) -> None:
    asked = 'name="acme", on_request="takes minutes"'
    install("acme_rnn:INFO", ACME.replace('name="acme"', asked))
    assert "acme" in known_backends()
    assert "acme" not in [info.name for info in select_backends([])]
    assert [info.name for info in select_backends(["acme"])] == ["acme"]


def test_a_package_that_declares_what_there_is_not_is_an_error_that_names_it(
    install: Install,
) -> None:
    gap = 'gaps=(Gap("never", "no", cells=("lstn",)),)'
    source = ACME.replace('name="acme"', f'name="acme", {gap}')
    install("acme_rnn:INFO", f"from rnn_parity_core import Gap\n{source}")
    with pytest.raises(
        ParityError, match="unknown cell in gaps of backend acme 'lstn'"
    ):
        known_backends()
