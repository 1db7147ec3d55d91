"""What can go wrong in a sweep does: adapters, Dask workers, the client, the folder."""

import contextlib
import csv
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rnn_parity.sweep.cluster import workers_at
from rnn_parity_fixtures import catalogue
from sweeping import ROOT, Dask, command, dask, frame, install, swept, wait_for

SUITE = "random:120:4"
CASES = [case.id for case in catalogue.select([SUITE], [], [])]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give an environment, and see that no process that was started in it is left."""
    made = install(tmp_path_factory.mktemp("adapters"))
    yield made
    wait_for(lambda: not left(made), 20)


def left(env: dict[str, str]) -> list[psutil.Process]:
    living = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("PYTHONPATH", "").startswith(env["PYTHONPATH"]):
                living.append(process)
    return living


@pytest.fixture
def cluster(env: dict[str, str], tmp_path: Path) -> Iterator[Dask]:
    with dask(env, tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def broken(
    env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Give a sweep over a backend with a fault, and a right one beside it."""
    out = tmp_path_factory.mktemp("broken") / "sweep"
    options = ("--backends", "numpy,wrong", "--workers", "1", "--out", out)
    return swept(env, SUITE, *options), out


def parts(out: Path) -> int:
    return len(list(out.glob("parts/*/*.parquet")))


def test_a_planted_fault_is_found_and_every_case_has_one_row(
    broken: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, out = broken
    assert (done.returncode, done.stderr) == (1, "")
    rows = frame(out)
    for name in ("numpy", "wrong"):
        assert list(rows[rows.backend == name].case) == CASES
    failed = rows[rows.verdict == "fail"]
    assert set(failed.backend) == {"wrong"}
    assert set(failed.cell) == {"gru"}
    computed = rows.verdict.isin(["pass", "inconclusive"])
    right = rows[(rows.backend == "numpy") & computed]
    assert re.search(rf"\nnumpy +{len(right)} +0 ", done.stdout)
    with (out / "failures.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert [line["case"] for line in listed] == list(failed.case)
    assert {line["reproduce"] for line in listed} == set(failed.reproduce)


def test_the_smallest_failing_case_is_as_small_as_the_fault_allows(
    broken: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, out = broken
    with (out / "smallest.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines
    for line in lines:
        # Two units or one in each direction, and three steps, are what it takes.
        assert re.fullmatch(
            r"gru-\w+-B1-T3-D1-H(2|1-bidirectional)-nobias-\w+-s\d+", line["smallest"]
        ), line
        again = f"rnn-parity run --cases {line['smallest']} --backends wrong"
        assert line["reproduce"] == again
        assert again in (out / "summary.md").read_text()
        assert line["smallest"] in done.stdout


def test_a_dask_worker_that_is_killed_loses_nothing(
    env: dict[str, str], cluster: Dask, tmp_path: Path
) -> None:
    workers = [cluster.worker("numpy=1") for _ in range(2)]
    out = tmp_path / "sweep"
    options = ("--scheduler", cluster.address, "--backends", "numpy", "--out", out)
    process = subprocess.Popen(
        command(SUITE, *options), cwd=ROOT, env=env, stdout=subprocess.DEVNULL
    )
    wait_for(lambda: parts(out) >= 5)
    child = psutil.Process(workers[0].pid).children()
    workers[0].send_signal(signal.SIGKILL)
    assert process.wait(100) == 0
    assert list(frame(out).case) == CASES
    assert set(frame(out).verdict) == {"pass", "gap", "inconclusive"}
    wait_for(lambda: not any(each.is_running() for each in child), 10)


def test_a_case_that_kills_dask_workers_is_an_error_and_no_other_is(
    env: dict[str, str], tmp_path: Path
) -> None:
    sizes = "rnn_tanh-dynamic-B2-T3-D2-H3-f32-s"
    ids = ",".join(f"{sizes}{seed}" for seed in (11, 12, 13, 14))
    out = tmp_path / "sweep"
    done = swept(env, ids, "--backends", "deadly", "--workers", "2", "--out", out)
    assert done.returncode == 3
    verdicts = dict(zip(frame(out).case, frame(out).verdict, strict=True))
    assert verdicts == {
        f"{sizes}{seed}": "error" if seed == 13 else "pass" for seed in (11, 12, 13, 14)
    }
    (detail,) = [detail for detail in frame(out).detail if detail]
    assert detail == (
        f"4 Dask workers died at it, one after the other [deadly, {sizes}13]"
    )


def test_a_sweep_whose_client_was_killed_goes_on_and_ends_alike(
    env: dict[str, str], tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "cut"
    options = ("--backends", "slow", "--workers", "2", "--out")
    suite = "random:40:4"
    process = subprocess.Popen(command(suite, *options, out), cwd=ROOT, env=env)
    wait_for(lambda: parts(out) >= 8)
    process.kill()
    process.wait()
    wait_for(lambda: not left(env), 20)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("parts/*/*.parquet")}
    broken, *rest = kept
    broken.write_bytes(broken.read_bytes()[:-9])
    (broken.parent / ".writing-x").write_bytes(b"half")
    done = swept(env, "--resume", out, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert [path for path in rest if path.stat().st_mtime_ns != kept[path]] == []
    assert swept(env, suite, *options, whole).returncode == 0
    both = [frame(each).drop(columns="seconds") for each in (out, whole)]
    assert both[0].equals(both[1])
    names = [
        sorted(p.relative_to(each) for p in each.rglob("*")) for each in (out, whole)
    ]
    assert names[0] == names[1]


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    env: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "sweep"
    process = subprocess.Popen(
        command("random:200:4", "--backends", "slow", "--workers", "1", "--out", out),
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: parts(out) >= 2)
    # Nobody else reaches what is started here.
    addresses = [
        connection.laddr.ip
        for each in [process.pid, *(p.pid for p in left(env))]
        for connection in psutil.Process(each).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(addresses) >= 3  # the scheduler, the worker, its nanny
    assert set(addresses) == {"127.0.0.1"}
    psutil.Process(process.pid).send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == (
        f"rnn-parity: interrupted; outcomes so far are in {out}; go on with: "
        f"rnn-parity sweep --resume {out}\n"
    )
    assert not (out / ".lock").exists()


def test_a_backend_without_workers_is_waited_for(
    env: dict[str, str], cluster: Dask, tmp_path: Path
) -> None:
    first, out = cluster.worker("slow=1"), tmp_path / "sweep"
    options = ("--scheduler", cluster.address, "--out", out)
    with (said := tmp_path / "said").open("w") as file:
        process = subprocess.Popen(
            command("random:60:4", *options),
            cwd=ROOT,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    wait_for(lambda: parts(out) >= 2)
    first.kill()
    wait_for(lambda: "no Dask worker offers slow any more" in said.read_text())
    assert "--resources slow=1" in said.read_text()
    time.sleep(2)
    assert process.poll() is None
    cluster.worker("slow=1")
    assert process.wait(60) == 0
    assert len(frame(out)) == 60
    assert "a Dask worker offers slow again" in said.read_text()


def test_workers_of_two_versions_are_not_mixed(
    env: dict[str, str], cluster: Dask, tmp_path: Path
) -> None:
    cluster.worker("versioned=1", SWEEP_VERSION="1")
    cluster.worker("versioned=1", SWEEP_VERSION="2")
    options = ("--scheduler", cluster.address, "--backends", "versioned")
    wait_for(lambda: (tmp_path / "dask.log").read_text().count("Registered to:") == 2)
    done = swept(env, "random:20:4", *options, "--out", tmp_path / "sweep")
    assert done.returncode == 2
    assert re.search("numpy was '[12]', is '[12]'; end that worker", done.stderr)
    assert not (tmp_path / "sweep/sweep.json").exists()
    # What begins with one version does not go on with another.
    out = tmp_path / "one"
    swept(env, "random:20:4", "--backends", "versioned", "--out", out)
    env = {**env, "SWEEP_VERSION": "2"}
    done = swept(env, "--resume", out)
    assert done.returncode == 2
    assert "versioned is not what began this run: numpy was '1', is '2'" in done.stderr


def test_who_is_there_is_asked_and_not_remembered(cluster: Dask) -> None:
    """What a client remembers of its workers it forgets now and then by itself."""
    cluster.worker("numpy=1")
    with workers_at(cluster.address) as crew:
        client = crew._client
        client.wait_for_workers(1)
        crew.offers()
        client._scheduler_identity = {"workers": {}}
        client.scheduler_info = lambda **_: client._scheduler_identity
        assert list(crew.offers()) == ["numpy"]


def test_a_scheduler_that_goes_away_is_said(
    env: dict[str, str], cluster: Dask, tmp_path: Path
) -> None:
    cluster.worker("slow=1")
    out = tmp_path / "sweep"
    process = subprocess.Popen(
        command("random:90:4", "--scheduler", cluster.address, "--out", out),
        cwd=ROOT,
        env={**env, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s"},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: parts(out) >= 2)
    cluster.scheduler.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said == (
        f"rnn-parity: the Dask scheduler at {cluster.address} was lost; what is there "
        f"is kept, go on with: rnn-parity sweep --resume {out} --scheduler "
        f"{cluster.address}\n"
    )


def test_what_cannot_begin_says_so_on_one_line(
    env: dict[str, str], cluster: Dask, tmp_path: Path
) -> None:
    out, at = tmp_path / "sweep", ("--scheduler", cluster.address)
    cluster.worker("gone=1,strange=1")
    log = tmp_path / "dask.log"
    wait_for(lambda: log.read_text().count("Registered to:") == 1)
    for arguments, words in {
        ("random:9:1", *at, "--backends", "torch+threads=2"): (
            f"no Dask worker at {cluster.address} offers torch+threads=2; start one "
            f"there with: dask worker {cluster.address} --nthreads 1 --resources "
            "torch=1"
        ),
        ("random:9:1", *at): "gone, which cannot run there: did not start: ",
    }.items():
        done = swept(env, *arguments, "--out", out)
        assert done.returncode == 2, (arguments, done.stdout)
        assert words in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    assert not (out / "sweep.json").exists()


def test_without_dask_a_line_says_what_installs_it(
    env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, package=None: (\n"
        "    None if name == 'distributed' else find(name, package))\n"
    )
    env = {**env, "PYTHONPATH": str(tmp_path)}
    done = swept(env, "random:9:1", "--out", tmp_path / "sweep")
    assert done.returncode == 2
    assert done.stderr == (
        "rnn-parity: Dask is not installed, which sweeps run on; install it with: pip "
        "install 'rnn-parity[sweep]'\n"
    )
