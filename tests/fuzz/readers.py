"""Everything that reads what others wrote: valid files of it, and what reads them."""

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import execnet
import msgspec

from fuzz.model_readers import MODELS
from fuzz.reader import LAYERS, Reader, in_file
from fuzz.structured import STRUCTURED
from rnn_parity.judge.certify import reference
from rnn_parity.judge.compare import compare_blocks
from rnn_parity.runs.judge_run import judge
from rnn_parity.runs.registry import known_backends, with_settings
from rnn_parity.runs.run import begin, judge_and_write, new_record
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry, JournalLine
from rnn_parity.store.stored import in_pairs, same_bytes
from rnn_parity.sweep.messages import Identity, Limits, Slice, Sweep, SweepRow
from rnn_parity.sweep.parquet import Store
from rnn_parity.workers.host import check_host
from rnn_parity.workers.protocol import WorkerError, checked, decoded
from rnn_parity_core import BackendInfo, ParityError
from rnn_parity_core.arrays import pack, unpack
from rnn_parity_core.cases import check_case, parse_id
from rnn_parity_core.graph import Edge, Graph, Node, Part
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.random_cases import RandomCases
from rnn_parity_reports.csv_rows import to_csv
from rnn_parity_reports.junit import to_junit
from rnn_parity_reports.markdown import to_markdown
from rnn_parity_reports.moved import moved
from rnn_parity_reports.results import (
    BackendRecord,
    Report,
    Result,
    encode,
    read_report_document,
)

_SWEPT = [RandomCases(40, 4)[number] for number in (0, 1)]
CASE = "lstm-dynamic-B2-T3-D2-H3-f32-s1"


@cache
def _run() -> Path:
    """Make a run of two backends that came by their outcomes honestly."""
    folder = RunFolder(Path(tempfile.mkdtemp(prefix="fuzz-seed-")) / "run")
    case = catalogue.case_from_id(CASE)
    infos = [known_backends()[name] for name in ("numpy", "torch")]
    record = new_record([case], infos, timeout=300.0, memory=0)
    begin(folder, record)
    folder.write_problem(catalogue.build(case))
    exact = reference(folder.problem(case))
    data = pack({n: a.astype("float32") for n, a in exact.items()}, {"case": case.id})
    for info in infos:
        folder.write_outcome(info.name, case.id, data)
    entries = [Entry(case.id, info.name, "done", seconds=0.5) for info in infos]
    said = BackendRecord({"numpy": "2"}, {"threads": 1}, "/python", "3.11")
    record = msgspec.structs.replace(
        record, entries=entries, backends={info.name: said for info in infos}
    )
    folder.write_record(record)
    judge_and_write(folder)
    return folder.path


def _of_run(name: str) -> Callable[[], list[bytes]]:
    return lambda: [(_run() / name).read_bytes()]


def _copied(folder: Path) -> RunFolder:
    if not (folder / "run").exists():
        shutil.copytree(_run(), folder / "run")
    return RunFolder(folder / "run")


def _record(data: bytes, folder: Path) -> object:
    run = _copied(folder)
    (run.path / "run.json").write_bytes(data)
    record = run.record()
    # What is sound is judged, too, unless it asks for more than a moment.
    small = sum(c.batch * c.steps * c.units * c.layers for c in record.cases) < 10**4
    return judge(run, run.record()) if small else record


def _lines() -> list[bytes]:
    """Give a journal of all that was computed."""
    record = RunFolder(_run()).record()
    lines = [JournalLine(entry=entry) for entry in record.entries]
    lines += [JournalLine(said=said) for said in record.backends.items()]
    return [b"".join(msgspec.json.encode(line) + b"\n" for line in lines)]


def _journal(data: bytes, folder: Path) -> object:
    run = _copied(folder)
    (run.path / "journal.jsonl").write_bytes(data)
    found = run.record()
    run.journal.mend()
    return found


def _problem(data: bytes, folder: Path) -> object:
    run, case = _copied(folder), catalogue.case_from_id(CASE)
    (run.path / f"problems/{CASE}.safetensors").write_bytes(data)
    return run.problem(case)


def _outcome(data: bytes, folder: Path) -> object:
    run = _copied(folder)
    (run.path / f"outcomes/numpy/{CASE}.safetensors").write_bytes(data)
    return run.outcome("numpy", CASE)


def _pieces(data: bytes, folder: Path) -> object:
    """Read an outcome as `compare OLD NEW` does."""
    run = _copied(folder)
    (run.path / f"outcomes/numpy/{CASE}.safetensors").write_bytes(data)
    found = run.stored_outcome("numpy", CASE)
    return [
        compare_blocks(in_pairs(of, of, 16), of.shape, dtype="float32")
        for of in found.values()
        if same_bytes(of, of)
    ]


def _report(path: Path) -> object:
    report = read_report_document(path)
    texts = to_markdown(report), to_csv(report), to_junit(report)
    return texts, moved(_usual(), report)


@cache
def _part() -> bytes:
    """Give what a sweep keeps of two cases."""
    store = Store(Path(tempfile.mkdtemp(prefix="fuzz-seed-")))
    results = [Result(case.id, "numpy", "pass", bound_ratio=0.5) for case in _SWEPT]
    rows = [SweepRow(number, result) for number, result in enumerate(results)]
    store.write_part(Slice("numpy", 0), _SWEPT, rows)
    return store.part(Slice("numpy", 0)).read_bytes()


def _part_read(data: bytes, folder: Path) -> object:
    store = Store(folder)
    path = store.part(Slice("numpy", 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    store.is_done(Slice("numpy", 0), 0, _SWEPT)
    return list(store.rows(Slice("numpy", 0), 0, _SWEPT))


def _sweeps() -> list[bytes]:
    said = Identity("0.1.0", "2.4", "0" * 16, "3.11", {"numpy": "2.4"}, {"x": 1})
    environment = RunFolder(_run()).record().environment
    limits, name = Limits(60.0, 0), "rnn-parity.sweep/2"
    suite = ["random:40:4"]
    return [encode(Sweep(name, environment, suite, 40, 1, {"numpy": said}, limits))]


def _sweep(data: bytes, folder: Path) -> object:
    (folder / "sweep.json").write_bytes(data)
    sweep = Store(folder).sweep()
    return sum(end - first for _, first, end in sweep.slices())


@cache
def _usual() -> Report:
    return read_report_document(_run())


def _answers() -> list[bytes]:
    part = Part("main", (Node("a", "MatMul"), Node("b", "Tanh")), (Edge("a", "b"),))
    record = msgspec.json.encode(BackendRecord({"a": "1"}, {"b": 2}, "p", "3.11"))
    graph = msgspec.json.encode(Graph("jaxpr", (part,)))
    answers = [
        ("loaded", record),
        ("outcome", _of_run(f"outcomes/numpy/{CASE}.safetensors")()[0], 0.5),
        ("graph", graph),
        ("unsupported", "no such layer"),
        ("error", "ValueError: x"),
    ]
    return [execnet.dumps(answer) for answer in answers]


def _answer(data: bytes, _: Path) -> object:
    """Take bytes for an answer, as the main process does."""
    try:
        answer = execnet.loads(data)
    except Exception:  # noqa: BLE001 - execnet ends the connection, whatever it is
        return None
    kind = answer[0] if isinstance(answer, tuple) and answer else ""
    asked = {"loaded": "load", "graph": "graph"}.get(str(kind)[:9], "run")
    found = checked(asked, answer)
    kinds: dict[str, type[Any]] = {"loaded": BackendRecord, "graph": Graph}
    if found[0] in kinds:
        return decoded(found[1], kinds[found[0]], "broken")
    return unpack(found[1], "it") if found[0] == "outcome" else found


def _words(data: bytes, _: Path) -> object:
    """Take text for what stands on a command line."""
    kind, _, text = data.decode(errors="surrogateescape").partition(" ")
    if kind == "host":
        return check_host(text)
    if kind == "backend":
        return with_settings(_known(), text)
    # A million random cases take a while, and rightly; so does to guess what was meant.
    if text.startswith("random:") and len(text) < len("random:100:1234567"):
        return catalogue.select([text], [], [])
    if case := parse_id(text):
        check_case(case)
    return case


@cache
def _known() -> dict[str, BackendInfo]:
    return known_backends()


_TEXTS = [
    *(f"case {case_id}".encode() for case_id in (*LAYERS, "notebook-basic-f32")),
    b"case rnn_tanh-variable_output-B3-T7-D4-H5-V7-L2-G0.5-nobias-f32-s12",
    *(b"case random:3:7", b"case notebook", b"host ssh:me@box:22", b"host ssh:[::1]"),
    *(b"backend torch+threads=2#old", b"backend jax@cuda", b"backend jax:eager"),
]

READERS = {
    "run.json": Reader(_of_run("run.json"), _record, costly=8),
    "journal.jsonl": Reader(_lines, _journal, costly=2),
    "report.json": Reader(
        _of_run("report.json"), in_file("report.json", _report), costly=2
    ),
    "sweep.json": Reader(_sweeps, _sweep),
    "a sweep's part": Reader(lambda: [_part()], _part_read, costly=2),
    "problem": Reader(_of_run(f"problems/{CASE}.safetensors"), _problem),
    "outcome": Reader(_of_run(f"outcomes/numpy/{CASE}.safetensors"), _outcome),
    "outcome, in pieces": Reader(
        _of_run(f"outcomes/numpy/{CASE}.safetensors"), _pieces
    ),
    **MODELS,
    **STRUCTURED,
    "a worker's answer": Reader(_answers, _answer, (ParityError, WorkerError)),
    "the command line": Reader(lambda: _TEXTS, _words),
}
