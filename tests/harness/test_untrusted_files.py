"""What a file from anyone may try beyond its bytes: where it lies, what it names."""

import json
import os
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hostile import LONE, layer
from rnn_parity.models.array_files import read_named
from rnn_parity.models.formats import writers
from rnn_parity.models.read import read
from rnn_parity.runs import registry
from rnn_parity.runs.judge_run import judge
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers import interpreter
from rnn_parity.workers.protocol import WorkerError, checked, decoded
from rnn_parity_core import Case, FileError, ParityError, UsageError
from rnn_parity_core.arrays import unpack
from rnn_parity_core.validate import contract_violations
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import read_report_document

Cli = Callable[..., tuple[int, str, str]]
PROBLEM = "problems/notebook-basic-f32.safetensors"
JOURNAL = "journal.jsonl"
OUTCOME = "outcomes/numpy/notebook-basic-f32.safetensors"


def _act(name: str, folder: RunFolder) -> object:
    case = catalogue.case_from_id("notebook-basic-f32")
    if name == PROBLEM:
        return folder.problem(case)
    return folder.outcome("numpy", case.id) if name == OUTCOME else folder.record()


@pytest.mark.parametrize("name", [PROBLEM, OUTCOME, "run.json", JOURNAL])
def test_a_link_that_leads_out_of_a_run_is_not_followed(name: str, copy: Path) -> None:
    elsewhere = copy.parent / "elsewhere"
    (copy / JOURNAL).touch()
    (copy / name).rename(elsewhere)
    (copy / name).symlink_to(elsewhere)
    with pytest.raises(FileError, match="leads out of the run"):
        _act(name, RunFolder(copy))


def test_nothing_is_written_or_printed_through_a_link(copy: Path) -> None:
    outside = copy.parent / "outside"
    outside.mkdir()
    for name in ("logs", "problems", "outcomes"):
        (copy / name).rename(copy / f"{name}-own")
        (copy / name).symlink_to(outside)
    precious = copy.parent / "precious"
    precious.write_bytes(b"no line ends here")
    (copy / JOURNAL).symlink_to(precious)
    folder = RunFolder(copy)
    for act in ("mend", "remove", "lines"):
        with pytest.raises(FileError, match="leads out of the run"):
            getattr(folder.journal, act)()
    with pytest.raises(FileError, match="leads out of the run"):
        folder.write_outcome("numpy", "x", b"")
    with pytest.raises(FileError, match="leads out of the run"):
        folder.log("numpy")
    with pytest.raises(FileError, match="leads out of the run"):
        folder.prepare()
    (copy / JOURNAL).unlink()
    with pytest.raises(FileError, match="leads out of the run"):
        folder.prepare()
    assert not list(outside.iterdir())
    assert precious.read_bytes() == b"no line ends here"


def test_links_that_go_round_in_circles_are_refused(copy: Path) -> None:
    (copy / "run.json").unlink()
    (copy / "run.json").symlink_to("run.json")
    with pytest.raises(FileError):
        RunFolder(copy).record()


@pytest.mark.parametrize("name", [PROBLEM, OUTCOME, "run.json", JOURNAL])
def test_a_pipe_in_a_run_is_refused_and_not_waited_for(name: str, copy: Path) -> None:
    (copy / name).unlink(missing_ok=True)
    os.mkfifo(copy / name)
    with pytest.raises(FileError, match=r"is no file|no run\.json"):
        _in_time(lambda: _act(name, RunFolder(copy)))


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "a.onnx", "a.pt"])
def test_a_pipe_for_a_model_or_arrays_is_refused(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    act = read if name in {"a.onnx", "a.pt"} else lambda p: read_named(p, "inputs")
    with pytest.raises(FileError, match="is no file"):
        _in_time(lambda: act(tmp_path / name))
    with pytest.raises(FileError, match="is no file"):
        _in_time(lambda: read_report_document(tmp_path / name))


def _in_time(act: Callable[[], object]) -> object:
    """Act within a few seconds, or fail: a pipe that is opened waits for ever."""
    done: list[object] = []

    def acting() -> None:
        try:
            done.append(act())
        except BaseException as error:  # noqa: BLE001 - raised again below
            done.append(error)

    thread = threading.Thread(target=acting, daemon=True)
    thread.start()
    thread.join(20)
    assert done, "it waits"
    if isinstance(done[0], BaseException):
        raise done[0]
    return done[0]


def test_a_file_larger_than_its_kind_may_be_is_refused_unread(copy: Path) -> None:
    for name, size in ((PROBLEM, 2**34), (OUTCOME, 2**34), ("run.json", 2**30)):
        with (copy / name).open("wb") as file:
            file.truncate(size + 1)  # of a sparse file
        with pytest.raises(FileError, match="bytes, more than"):
            _act(name, RunFolder(copy))


def test_two_values_of_one_name_are_refused(copy: Path) -> None:
    whole = (copy / "run.json").read_bytes()
    (copy / "run.json").write_bytes(whole.replace(b"{", b'{"cases": [],', 1))
    with pytest.raises(FileError, match="two values of one name"):
        RunFolder(copy).record()
    whole = (copy / "report.json").read_bytes()
    (copy / "report.json").write_bytes(whole.replace(b"{", b'{"results": [],', 1))
    with pytest.raises(FileError, match="two values of one name"):
        read_report_document(copy)


@pytest.mark.parametrize(
    "header",
    [
        b'{"__metadata__":{"case":"a","case":"b"}}',
        b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{}}'.replace(
            b"{}", b'{"dtype":"F32","shape":[0,1],"data_offsets":[0,0]}'
        ),
    ],
)
def test_two_tensors_or_words_of_one_name_are_refused(header: bytes) -> None:
    with pytest.raises(FileError, match="two values of one name"):
        unpack(struct.pack("<Q", len(header)) + header, "it")


def test_an_entry_that_is_there_twice_is_refused(copy: Path) -> None:
    record = json.loads((copy / "run.json").read_bytes())
    record["entries"].append({**record["entries"][0], "status": "absent"})
    (copy / "run.json").write_text(json.dumps(record))
    with pytest.raises(FileError, match="is listed twice"):
        RunFolder(copy).record()


def test_a_report_of_cases_that_there_cannot_be_is_refused(copy: Path) -> None:
    report = json.loads((copy / "report.json").read_bytes())
    report["cases"][0]["dtype"] = "float8"
    (copy / "report.json").write_text(json.dumps(report))
    with pytest.raises(FileError, match="unknown dtype 'float8'"):
        read_report_document(copy)


def test_nothing_that_a_run_names_is_imported_or_started(copy: Path) -> None:
    program = copy.parent / "program"
    program.write_text(f"#!/bin/sh\ntouch {copy.parent}/started\n")
    program.chmod(0o755)
    (copy / "evil.py").write_text(f"open('{copy.parent}/imported', 'w')")
    record = json.loads((copy / "run.json").read_bytes())
    record["infos"][0] |= {
        "adapter": "evil:Evil",
        "interpreter": str(program),
        "host": "ssh:-oProxyCommand=evil",
        "install": f"{program}",
    }
    (copy / "run.json").write_text(json.dumps(record))
    sys.path.insert(0, str(copy))
    try:
        report = judge(RunFolder(copy), RunFolder(copy).record())
    finally:
        sys.path.remove(str(copy))
    assert report.summary.passed == 4
    assert not (copy.parent / "started").exists()
    assert not (copy.parent / "imported").exists()
    assert "evil" not in sys.modules


def test_every_backend_has_a_file_of_its_own_where_capitals_are_none() -> None:
    names = ["a", "A", "a.x", "a/b", "..", "%2E", "%41", "é", "É"]
    files = [RunFolder(Path("x")).log(name).name for name in names]
    stems = {file.removesuffix(".log").lower() for file in files}
    assert len(stems) == len(names)
    assert not set("".join(stems)) & set('/\\:*?"<>|.')


def test_a_million_names_that_nobody_asked_for_are_said_in_a_line() -> None:
    extra = {f"{number}{'x' * 999}": np.zeros(1) for number in range(2000)}
    said = contract_violations(extra, {}, "float32")
    assert len("; ".join(said)) < 3000
    assert any("1992 more are not asked for" in line for line in said)


@pytest.mark.parametrize(
    "case",
    ["random:1:\uff11", "rnn_tanh-basic-B\uff13-T1-D1-H1-f32-s1", "random:1:1\n"],
)
def test_digits_of_other_scripts_are_none(case: str) -> None:
    with pytest.raises(UsageError):
        catalogue.select([case], [], [])
    known = registry.known_backends()
    with pytest.raises(UsageError):
        registry.with_settings(known, "torch+threads=\uff11")


@pytest.mark.parametrize("length", [10**4, 10**6])
def test_a_name_of_any_length_is_refused_soon_and_in_brief(length: int) -> None:
    digits = "9" * length
    for text in (digits, f"random:{digits}:1", f"lstm-dynamic-B{digits}"):
        with pytest.raises(UsageError) as caught:
            catalogue.select([text], [], [])
        assert len(str(caught.value)) < 2000


ANSWERS: list[object] = [
    (),
    [],
    None,
    ("outcome", b"", float("nan")),
    ("outcome", b"", 1),
    ("outcome", "text", 0.5),
    ("loaded", b"{}", 1),
    (["outcome"], b"", 0.5),
    ("error", b"bytes"),
    ("x" * 10**6,),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: str(answer)[:20])
def test_what_is_no_answer_is_said_in_a_line(answer: object) -> None:
    with pytest.raises(WorkerError) as caught:
        checked("run", answer)
    assert len(str(caught.value)) < 1000


def test_an_answer_nested_deeper_than_python_goes_is_said_in_a_line() -> None:
    nested: list[object] = []
    for _ in range(10**5):
        nested = [nested]
    with pytest.raises(WorkerError, match="what is no answer"):
        checked("run", nested)


@pytest.mark.parametrize("data", [b"\xff", b'"\xed\xa0\x80"', b"[" * 10**5, b"{}x"])
def test_what_a_worker_says_of_itself_is_json_or_refused(data: bytes) -> None:
    with pytest.raises(WorkerError, match="broken: "):
        decoded(data, Case, "broken")


@pytest.mark.parametrize(
    "said",
    [
        "rnn-parity x y",
        "rnn-parity",
        "rnn-parity 3",
        "rnn-parity \uff13 11",
        "",
        "x" * 99,
    ],
)
def test_what_answers_as_no_python_is_refused(said: str, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\necho '{said}'\n")
    program.chmod(0o755)
    with pytest.raises(UsageError, match="does not answer as Python does"):
        interpreter.lacking(str(program), "", {})


def test_a_package_whose_info_is_of_wrong_types_is_named() -> None:
    (info,) = registry.select_backends(["numpy"])
    wrong = msgspec.structs.replace(info, name="acme", gaps=({"kind": "sometimes"},))
    with pytest.raises(ParityError, match="entry point x is no sound BackendInfo: "):
        registry._add({}, wrong, "entry point x")


def test_a_file_whose_name_is_no_unicode_is_refused_where_its_name_is_kept(
    command_line: Cli, tmp_path: Path
) -> None:
    data = writers()["torch"].write(layer(LONE))
    name = os.fsdecode(b"m\xff.safetensors")
    (tmp_path / name).write_bytes(data)
    status, _, said = command_line("verify", name, "--backends", "numpy")
    assert status == 2
    assert "is no Unicode, and cannot be kept in JSON" in said
    assert said.startswith("rnn-parity: ")
    assert len(said.splitlines()) == 1
