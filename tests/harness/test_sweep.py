"""Sweeps without Dask at work: plans, what is kept, what is summed up, what shrinks."""

import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from rnn_parity.store.journal import folder_lock
from rnn_parity.sweep import summary as summaries
from rnn_parity.sweep.cluster import tag
from rnn_parity.sweep.messages import (
    FailureKind,
    Identity,
    Limits,
    Slice,
    Sweep,
    SweepRow,
)
from rnn_parity.sweep.pages import smallest_csv, to_markdown
from rnn_parity.sweep.parquet import MAX_PART_BYTES, PART_COLUMNS, Store
from rnn_parity.sweep.shrink import Shrunk, smaller
from rnn_parity.sweep.summary import FAILURES, size, summed_up
from rnn_parity_core import Case, FileError, UsageError
from rnn_parity_core.cases import check_case
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.describe import failure_signature
from rnn_parity_reports.results import Result, Verdict

Cli = Callable[..., tuple[int, str, str]]

CASES = catalogue.sequence(["random:40:4"])[:3]
OF = Slice("numpy", 2)
FIRST = 6
WORDS = "outputs: 5 of 12 elements outside the bound; worst 3e+02x [numpy, x]"


def rows(cases: list[Case] = CASES) -> list[SweepRow]:
    found = [
        SweepRow(FIRST + number, Result(case.id, OF.backend, "pass", bound_ratio=0.25))
        for number, case in enumerate(cases)
    ]
    bad = replace(found[1].result, verdict="fail", bound_ratio=300.0, detail=WORDS)
    found[1] = replace(found[1], result=bad)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "sweep")
    made.write_part(OF, CASES, rows())
    return made


def changed(store: Store, **columns: list[Any]) -> None:
    """Write a part again with other values in some columns."""
    table = pq.read_table(store.part(OF))
    for name, values in columns.items():
        number = PART_COLUMNS.index(name)
        field = table.schema.field(name)
        table = table.set_column(number, field, pa.array(values, field.type))
    pq.write_table(table, store.part(OF))


def test_a_million_cases_are_planned_at_once_in_little_memory() -> None:
    tracemalloc.start()
    begun = time.process_time()
    cases = catalogue.sequence(["random:1000000:3"])
    last = cases[999_900:]
    taken = time.process_time() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(cases), len(last)) == (1_000_000, 100)
    assert last[-1].id == cases[-1].id
    assert peak < 64 * 2**20
    assert taken < 30


def test_rows_come_back_as_they_were_written(store: Store) -> None:
    assert store.is_done(OF, FIRST, CASES)
    read = list(store.rows(OF, FIRST, CASES))
    assert [row["case"] for row in read] == [case.id for case in CASES]
    assert [row["number"] for row in read] == [6, 7, 8]
    assert [row["verdict"] for row in read] == ["pass", "fail", "pass"]
    assert read[1]["kind"] == "outputs: # of # elements outside the bound"
    assert not store.is_done(Slice("numpy", 3), FIRST, CASES)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"case": [CASES[1].id, CASES[0].id, CASES[2].id]}, "row 6 has case 'gru"),
        ({"number": [6, 7, 9]}, "row 8 has number 9, expected 8"),
        ({"backend": ["torch"] * 3}, "row 6 has backend 'torch', expected 'numpy'"),
        ({"verdict": ["pass", "fine", "pass"]}, "row 7 has no verdict"),
        ({"verdict": ["pass", None, "pass"]}, "row 7 has no verdict"),
        ({"dtype": [None] * 3}, "row 6 has dtype None"),
        ({"kind": ["", None, ""]}, "row 7 lacks kind"),
    ],
)
def test_rows_of_something_else_are_computed_again(
    columns: dict[str, list[Any]], words: str, store: Store
) -> None:
    if "gru" in words:
        words = words.replace("'gru", f"'{CASES[1].id}")
    changed(store, **columns)
    assert not store.is_done(OF, FIRST, CASES)
    with pytest.raises(FileError, match=words.replace(".", r"\.")):
        list(store.rows(OF, FIRST, CASES))


def test_a_broken_part_is_computed_again(store: Store) -> None:
    path = store.part(OF)
    whole = path.read_bytes()
    other = pa.table({"case": ["x"]})
    for data in (b"", whole[:-1], whole[9:], b"PAR1" * 9, b"\0" * (MAX_PART_BYTES + 1)):
        path.write_bytes(data)
        assert not store.is_done(OF, FIRST, CASES)
        with pytest.raises(FileError, match=r"00002\.parquet"):
            store.rows(OF, FIRST, CASES)
    pq.write_table(other, path)
    with pytest.raises(FileError, match="it has other columns"):
        store.rows(OF, FIRST, CASES)
    path.write_bytes(whole)
    with pytest.raises(FileError, match="it has 3 rows, expected 2"):
        store.rows(OF, FIRST, CASES[:2])
    assert store.is_done(OF, FIRST, CASES)


def test_a_link_out_of_the_folder_is_not_followed(store: Store, tmp_path: Path) -> None:
    path = store.part(OF)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileError, match="is a link that leads out of the run"):
        store.is_done(OF, FIRST, CASES)


def test_names_of_backends_are_no_paths(tmp_path: Path) -> None:
    part = Store(tmp_path).part(Slice("../jax:eager+x=/etc#A", 0))
    assert part.is_relative_to(tmp_path / "parts")
    assert part.parent.parent == tmp_path / "parts"


def sweep(**fields: Any) -> Sweep:
    identity = Identity("0.1.0", "2.4", "0" * 16, "3.11", {"numpy": "2.4"}, {"x": 1})
    environment = catalogue_environment()
    made = Sweep(
        "rnn-parity.sweep/2",
        environment,
        ["random:40:4"],
        40,
        1,
        {"numpy": identity},
        Limits(60.0, 0),
    )
    return replace(made, **fields)


def catalogue_environment() -> Any:
    from rnn_parity.runs.environment import describe_environment

    return describe_environment()


def test_slices_are_all_cases_once() -> None:
    made = list(sweep(cases=250, slice=100).slices())
    assert made == [(0, 0, 100), (1, 100, 200), (2, 200, 250)]


@pytest.mark.parametrize(
    ("backend", "where"),
    [
        ("torch", "torch"),
        ("torch@cuda+tf32=on+deterministic=off", "torch@cuda"),
        ("jax:eager", "jax:eager"),
        ("jax#0.9", "jax#0.9"),
        ("torch+threads=1#old", "torch#old"),
    ],
)
def test_a_tag_says_where_a_backend_runs(backend: str, where: str) -> None:
    assert tag(backend) == where


def test_failures_alike_are_of_one_kind_whatever_their_numbers() -> None:
    bad = rows()[1].result
    other = WORDS.replace("5 of 12", "71 of 9e+09").replace("3e+02", "1.5")
    assert failure_signature(bad) == failure_signature(replace(bad, detail=other)) != ""
    named = replace(bad, explanations=["layer1.forward.bias[5] off by 3.8e-06"])
    assert failure_signature(named) == "matches if: layer#.forward.bias[#] off by #"
    assert failure_signature(
        replace(bad, detail="final_h: 1 of 2 is off")
    ) != failure_signature(bad)
    assert failure_signature(rows()[0].result) == ""
    # Of an error that begins with an array the rest counts too.
    odd, even = (
        replace(bad, detail=f"ValueError: [1 2] is {what} [{bad.backend}, {bad.case}]")
        for what in ("odd", "even")
    )
    assert failure_signature(odd) == "ValueError: [# #] is odd"
    assert failure_signature(even) != failure_signature(odd)


def kept(store: Store) -> Iterator[tuple[int, Case, dict[str, Any]]]:
    read = store.rows(OF, FIRST, CASES)
    return ((row["number"], c, row) for c, row in zip(CASES, read, strict=True))


def test_a_summary_counts_and_lists_what_fails(store: Store) -> None:
    failures = store.file("failures.csv")
    found = summed_up(["numpy"], kept(store), failures)
    tally = found.tallies["numpy"]
    assert (tally.computed, tally.verdicts["fail"]) == (3, 1)
    titles, values = summaries.table(found)
    assert dict(zip(titles, values, strict=True))["called broken"] == "1"
    assert found.exit_status() == 1
    (kind,) = found.kinds
    assert kind[3:] == ("fail", "outputs: # of # elements outside the bound")
    text = failures.read_text()
    assert text.startswith(",".join(FAILURES))
    assert text.count("\n") == 2
    assert CASES[1].id in text
    page = to_markdown(sweep(), found, [])
    assert "| numpy | 3 | 1 | 0 | 0.25 |" in page
    assert "1 rarer kinds of failure were not shrunk" in page


def test_peers_are_counted_where_we_pass(store: Store) -> None:
    changed(store, fixed_tolerances_failing=["np.testing; onnx", "np.testing", ""])
    found = summed_up(["numpy"], kept(store), store.file("failures.csv"))
    assert found.tallies["numpy"].fixed_tolerances == {"np.testing": 1, "onnx": 1}


@pytest.mark.parametrize(
    ("verdicts", "status", "strict"),
    [
        *[("pgp", 0, 0), ("pfe", 1, 1), ("pge", 3, 3), ("gga", 2, 2)],
        *[("ipc", 0, 4), ("iii", 0, 4), ("ifp", 1, 1), ("iep", 3, 3), ("cga", 0, 0)],
    ],
)
def test_the_exit_status_is_that_of_a_run(
    verdicts: str, status: int, strict: int, store: Store
) -> None:
    names = {verdict[0]: verdict for verdict in get_args(Verdict)}
    changed(store, verdict=[names[v] for v in verdicts], kind=[""] * 3)
    found = summed_up(["numpy"], kept(store), store.file("failures.csv"))
    assert (found.exit_status(), found.exit_status(strict=True)) == (status, strict)


def test_what_is_inconclusive_is_counted_and_neither_a_failure_nor_shrunk(
    store: Store,
) -> None:
    unshown = [
        replace(row, result=replace(row.result, verdict="inconclusive", detail=WORDS))
        for row in rows()
    ]
    store.write_part(OF, CASES, unshown)
    failures = store.file("failures.csv")
    found = summed_up(["numpy"], kept(store), failures)
    assert not found.kinds
    assert failures.read_text().count("\n") == 1
    titles, values = summaries.table(found)
    said = dict(zip(titles, values, strict=True))
    assert (said["right networks"], said["called broken"]) == ("3", "0")
    assert (said["not shown"], said["largest"]) == ("3", "0.00")


def test_kinds_without_end_are_counted_and_not_held(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summaries, "MOST_KINDS", 2)
    changed(store, verdict=["fail"] * 3, kind=["a", "b", "c"])
    found = summed_up(["numpy"], kept(store), store.file("failures.csv"))
    assert (len(found.kinds), found.left_out) == (2, 1)


def test_what_is_smaller_is_valid_and_differs_in_one_thing() -> None:
    sizes = "B3-T7-D4-H5-P2-L2-G4-bidirectional-timemajor-zerolength-f32-s1"
    case = catalogue.case_from_id(f"lstm_projection-variable_input-{sizes}")
    found = list(smaller(case))
    sizes = [size(each) for each in found]
    assert sizes == sorted(sizes)
    assert max(sizes) < size(case)
    fields = {name: getattr(case, name) for name in case.__struct_fields__}
    for each in found:
        assert catalogue.case_from_id(each.id) == each
        assert sum(getattr(each, n) != value for n, value in fields.items()) == 1
    least = "lstm-dynamic-B1-T1-D1-H1-nobias-f32-s1"
    assert list(smaller(catalogue.case_from_id(least))) == []


def test_the_list_of_smallest_cases_is_no_formula() -> None:
    kind = FailureKind("numpy", "gru", "forward", "error", "=1+1")
    (_, line) = smallest_csv([Shrunk(kind, 3, CASES[0], CASES[1])]).splitlines()
    assert line.startswith("numpy,gru,forward,error,'=1+1,3,")
    assert line.endswith(f"rnn-parity run --cases {CASES[1].id} --backends numpy")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "is not a whole sweep of rnn-parity"),
        (b'{"schema": "rnn-parity.run/2"}', "is not a whole sweep of rnn-parity"),
    ],
)
def test_a_folder_of_something_else_is_refused(
    text: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / "sweep.json").write_bytes(text)
    with pytest.raises(FileError, match=words):
        Store(tmp_path).sweep()


def test_what_cannot_be_asked_is_one_line(
    command_line: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnn_parity.sweep.cluster.CONNECT", 1.0)
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter").touch()
    for words, arguments in {
        "name a suite, as in: rnn-parity sweep random:1000000:7": (),
        "names no random suite": ("random:0:1",),
        "unknown backend 'nunpy'; did you mean": ("random:9:1", "--backends", "nunpy"),
        "no Dask scheduler answers at 'tcp://127.0.0.1:9'": (
            *("random:9:1", "--scheduler", "tcp://127.0.0.1:9"),
        ),
        "no Dask scheduler answers at 'x y'": ("random:9:1", "--scheduler", "x y"),
        "--workers are started here": (
            *("random:9:1", "--scheduler", "tcp://127.0.0.1:9", "--workers", "2"),
        ),
        "is not empty; choose another folder": ("random:9:1", "--out", str(full)),
        "holds no sweep of rnn-parity": ("--resume", str(tmp_path / "none")),
        ": SUITE is said by the folder": ("random:9:1", "--resume", str(full)),
        "a timeout of 0 s is none": ("random:9:1", "--timeout", "0"),
    }.items():
        status, out, said = command_line("sweep", *arguments)
        assert (status, out) == (2, ""), (arguments, said)
        assert words in said
        assert said.count("\n") == 1
    assert not (tmp_path / "parity-sweep/sweep.json").exists()


def test_a_sweep_is_alone_in_its_folder(command_line: Cli, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    with folder_lock(out):
        status, _, said = command_line(
            "sweep", "random:9:1", "--backends", "numpy", "--out", str(out)
        )
    assert status == 2
    assert f"another run is at work in {out}" in said


def test_a_suite_that_is_another_one_now_is_refused(
    command_line: Cli, tmp_path: Path
) -> None:
    Store(tmp_path / "sweep").begin(sweep(cases=41))
    status, _, said = command_line("sweep", "--resume", str(tmp_path / "sweep"))
    assert status == 2
    assert "the suite is not what began this run: cases was 41, is 40" in said


def test_a_sequence_is_what_is_selected() -> None:
    names = ["notebook", "standard"]
    assert catalogue.sequence(names) == catalogue.select(names, [], [])
    with pytest.raises(UsageError, match="names no random suite"):
        catalogue.sequence(["random:x"])


def test_what_is_smaller_than_a_probe_is_a_probe() -> None:
    case = catalogue.case_from_id("probe:gru-dynamic-B1-T1-D4-H5-L2-f32-s1")
    found = list(smaller(case))
    assert {one.units for one in found} == {1, 2, 4, 5}
    assert {one.layers for one in found} == {1, 2}
    for one in found:
        assert one.probe
        check_case(one)
