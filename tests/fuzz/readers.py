"""Everything that reads what others wrote: valid files of it, and what reads them."""

import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import execnet
import msgspec
import numpy as np

import hostile
from fixtures import catalogue, seeded
from fixtures.random_cases import RandomCases
from harness.backend import BackendInfo
from harness.cases import check_case, parse_id
from harness.errors import FileError, ParityError, UsageError
from harness.graph import Edge, Graph, Node, Part
from harness.judge.certify import reference
from harness.judge.compare import compare_blocks
from harness.judge.saved import judge
from harness.models.layer import Recurrent
from harness.models.read import saved_layers
from harness.models.settle import settle
from harness.models.write import WRITERS
from harness.results import (
    BackendRecord,
    Report,
    Result,
    encode,
    read_report_document,
)
from harness.run.answers import WorkerError, checked, decoded
from harness.run.host import check_host
from harness.run.registry import known_backends, with_settings
from harness.session import begin, judge_and_write, new_record
from harness.store.array_files import read_named
from harness.store.arrays import pack, unpack
from harness.store.folder import RunFolder
from harness.store.record import Entry, Line
from harness.store.stored import in_pairs, same_bytes
from harness.sweep.record import Identity, Limits, Row, Slice, Sweep
from harness.sweep.store import Store
from reports.junit import to_junit
from reports.markdown import to_markdown
from reports.moved import moved
from reports.write import to_csv

FILES = Path(__file__).parents[1] / "harness" / "files"
_SWEPT = [RandomCases(40, 4)[number] for number in (0, 1)]
CASE = "lstm-dynamic-B2-T3-D2-H3-f32-s1"
LAYERS = (
    "lstm-dynamic-B1-T1-D2-H3-L2-bidirectional-f32-s1",
    "gru-dynamic-B1-T1-D2-H3-f64-s1",
    "rnn_tanh-dynamic-B1-T1-D2-H3-f32-s2",
)


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


def folder_name(reader: str) -> str:
    """Give the name of the folder in `found` of files that did harm to a reader."""
    return "-".join(re.findall(r"\w+", reader))


def _file(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    def reads(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        return read(folder / name)

    return reads


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
    return judge(run) if small else record


def _lines() -> list[bytes]:
    """Give a journal of all that was computed."""
    record = RunFolder(_run()).record()
    lines = [Line(entry=entry) for entry in record.entries]
    lines += [Line(said=said) for said in record.backends.items()]
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
    results = [Result(case.id, "numpy", "pass", headroom=0.5) for case in _SWEPT]
    rows = [Row(number, result) for number, result in enumerate(results)]
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
    limits, name = Limits(60.0, 0), "rnn-parity.sweep/1"
    suite = ["random:40:4"]
    return [encode(Sweep(name, environment, suite, 40, 1, {"numpy": said}, limits))]


def _sweep(data: bytes, folder: Path) -> object:
    (folder / "sweep.json").write_bytes(data)
    sweep = Store(folder).sweep()
    return sum(end - first for _, first, end in sweep.slices())


@cache
def _usual() -> Report:
    return read_report_document(_run())


def _layer(case_id: str) -> Recurrent:
    case = parse_id(case_id)
    assert case
    arrays = seeded.problem(case).arrays
    weights = {name: arrays[name] for name in case.weight_shapes()}
    return Recurrent("x", "canonical", case, weights)


def _real(*endings: str) -> list[bytes]:
    """Give files that frameworks wrote."""
    paths = sorted(path for path in FILES.iterdir() if path.suffix in endings)
    return [path.read_bytes() for path in paths]


def _written(*forms: str) -> Callable[[], list[bytes]]:
    def made() -> list[bytes]:
        found = []
        for case_id in LAYERS:
            for form in forms:
                try:
                    found.append(WRITERS[form].write(_layer(case_id)))
                except FileError:
                    continue  # the form has no such layer
        return found

    return made


def _settled(path: Path) -> object:
    """Read all layers of a file, and make each of them ours that can be."""
    found = []
    for saved in saved_layers(path):
        for cell in saved.cells or ("",):
            try:
                found.append(settle(saved, cell))
            except (FileError, UsageError) as error:
                found.append(str(error))
    return found


@cache
def _members(form: str) -> tuple[dict[str, bytes], ...]:
    made = []
    for data in _written(form)():
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            made.append({name: file.read(name) for name in file.namelist()})
    return tuple(made)


def _zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def _member(form: str, name: str) -> Reader:
    """Read a zip's member: what is mutated outside of it, its checksum refuses."""

    def read(data: bytes, folder: Path) -> object:
        whole = _zipped({**_members(form)[0], name: data})
        return _file(f"a.{form}", _settled)(whole, folder)

    return Reader(lambda: [_members(form)[0][name]], read)


def _pickles() -> list[bytes]:
    return [hostile.torch_zip(_PICKLE, **{"data/0": bytes(24)})]


# A state_dict of one tensor, as torch.save writes it: {"weight_hh_l0": [2, 3] float32}.
_PICKLE = (
    b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x0c\x00\x00\x00weight_hh_l0q\x02"
    b"ctorch._utils\n_rebuild_tensor_v2\nq\x03((X\x07\x00\x00\x00storageq\x04"
    b"ctorch\nFloatStorage\nq\x05X\x01\x00\x00\x000q\x06X\x03\x00\x00\x00cpuq\x07"
    b"K\x06tq\x08QK\x00K\x02K\x03\x86q\tK\x03K\x01\x86q\n\x89h\x00)Rq\x0btq\x0cRq\rs."
)


def _pickle(data: bytes, folder: Path) -> object:
    whole = hostile.torch_zip(data, **{"data/0": bytes(24)})
    return _file("a.pt", _settled)(whole, folder)


def _arrays(name: str) -> Callable[[], list[bytes]]:
    def made() -> list[bytes]:
        here = np.arange(12, dtype="float32").reshape(2, 3, 2)
        one, several, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
        np.save(one, here)
        np.savez(several, inputs=here, lengths=np.array([1, 2], "int32"))
        np.savez_compressed(packed, inputs=here.T)
        files = {"npy": [one], "npz": [several, packed]}[name]
        return [file.getvalue() for file in files]

    return made


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
        _of_run("report.json"), _file("report.json", _report), costly=2
    ),
    "sweep.json": Reader(_sweeps, _sweep),
    "a sweep's part": Reader(lambda: [_part()], _part_read, costly=2),
    "problem": Reader(_of_run(f"problems/{CASE}.safetensors"), _problem),
    "outcome": Reader(_of_run(f"outcomes/numpy/{CASE}.safetensors"), _outcome),
    "outcome, in pieces": Reader(
        _of_run(f"outcomes/numpy/{CASE}.safetensors"), _pieces
    ),
    ".safetensors": Reader(
        _written("canonical", "torch", "tensorflow-v1", "flax"),
        _file("a.safetensors", _settled),
    ),
    ".pt": Reader(
        lambda: [*_pickles(), *_real(".pt", ".pth")], _file("a.pt", _settled)
    ),
    ".pt, its pickle": Reader(lambda: [_PICKLE], _pickle),
    ".keras": Reader(
        lambda: [*_written("keras")(), *_real(".keras")], _file("a.keras", _settled)
    ),
    ".keras, its config": _member("keras", "config.json"),
    ".keras, its weights": _member("keras", "model.weights.h5"),
    ".h5": Reader(
        lambda: [
            *(members["model.weights.h5"] for members in _members("keras")),
            *_real(".h5"),
        ],
        _file("a.h5", _settled),
    ),
    ".onnx": Reader(
        lambda: [*_written("onnx")(), *_real(".onnx")], _file("a.onnx", _settled)
    ),
    ".npy": Reader(_arrays("npy"), _file("a.npy", lambda p: read_named(p, "inputs"))),
    ".npz": Reader(_arrays("npz"), _file("a.npz", lambda p: read_named(p, "inputs"))),
    "a worker's answer": Reader(_answers, _answer, (ParityError, WorkerError)),
    "the command line": Reader(lambda: _TEXTS, _words),
}
