"""Dask workers: started here, or found at a scheduler; which backend is whose."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote

import msgspec
from distributed import Client, Future, Nanny, Scheduler, SpecCluster

from rnn_parity.processes.starting import supervised
from rnn_parity.runs.resume_check import differences
from rnn_parity.sweep.messages import Answer, Identity, Limits, Question
from rnn_parity.sweep.work import answer
from rnn_parity_core import ParityError, UsageError, clean

CONNECT = 10.0  # seconds that a scheduler may take to answer
_HERE = "127.0.0.1"
# Dask serves a few pages all the same, and on all interfaces unless it is told where.
_NO_PAGES = {"dashboard": False, "dashboard_address": f"{_HERE}:0"}
_LOGGERS = ("distributed", "asyncio", "tornado")


def tag(backend: str) -> str:
    """Give the Dask resource that says where a backend runs: `torch`, `jax#old`.

    Settings are no matter of where; a label is, as it stands for another environment.
    """
    plain, sign, label = backend.partition("#")
    return plain.partition("+")[0] + sign + label


class Crew:
    """The Dask workers of a sweep, whichever there are at the moment.

    Args:
        client: What asks them.
        address: Of their scheduler.
        is_given: Whether that is somebody's, and not of this sweep alone.

    """

    def __init__(self, client: Client, address: str, *, is_given: bool) -> None:
        self._client = client
        self.address = address
        self.is_given = is_given

    def offers(self) -> dict[str, list[str]]:
        """Tag → addresses of the workers that are there now and offer it.

        Raises:
            ParityError: The scheduler is gone.

        """
        try:
            # `scheduler_info` gives what the client looked up last, at times by itself
            # and without workers.
            identity = self._client.scheduler.identity
            workers = self._client.sync(identity, n_workers=-1)["workers"]
        except (OSError, TimeoutError, KeyError):
            raise self.lost() from None
        found: dict[str, list[str]] = {}
        for address, worker in workers.items():
            for name in worker["resources"]:
                found.setdefault(name, []).append(address)
        return found

    def submit(self, asked: Question, worker: str = "") -> Future:
        """Ask a worker that offers the backend, or one by its address."""
        return self._client.submit(
            answer,
            msgspec.json.encode(asked),
            resources={tag(asked.backend): 1},
            workers=[worker] if worker else None,
            pure=False,
            key=None,
        )

    def cancel(self, futures: list[Future]) -> None:
        """Let go of what was asked."""
        self._client.cancel(futures, force=True)

    def identities(self, backends: list[str], limits: Limits) -> dict[str, Identity]:
        """Let every worker start its backends, and see that all do so alike.

        Raises:
            UsageError: A backend is nowhere, not alike everywhere, or cannot start.
            ParityError: The scheduler is gone.

        """
        offers = self.offers()
        asked = [
            (backend, worker, self.submit(Question(backend, limits, []), worker))
            for backend in backends
            for worker in offers.get(tag(backend), [])
        ]
        found: dict[str, tuple[Identity, str]] = {}
        for backend, worker, future in asked:
            identity = self._identity(backend, worker, future)
            first, where = found.setdefault(backend, (identity, worker))
            if unlike := differences(first, identity):
                raise another_worker(backend, worker, unlike, f"on {where}")
        if missing := [name for name in backends if name not in found]:
            raise UsageError(
                f"no Dask worker at {self.address} offers {missing[0]}; "
                f"{self.command(missing[0])}"
            )
        return {name: identity for name, (identity, _) in found.items()}

    def _identity(self, backend: str, worker: str, future: Future) -> Identity:
        try:
            said = msgspec.json.decode(future.result(), type=Answer)
        except Exception as error:  # noqa: BLE001 - of a machine that is none of ours
            raise UsageError(
                f"the Dask worker {worker} cannot compute {backend}: "
                f"{in_words(error)}; it needs Python with rnn-parity[sweep] and the "
                "framework, of the versions that are here"
            ) from None
        if said.trouble or not said.identity:
            raise UsageError(
                f"the Dask worker {worker} offers {backend}, which cannot run there: "
                f"{said.trouble or 'it does not say why'}"
            )
        return said.identity

    def command(self, backend: str) -> str:
        """Say how a worker is started that offers a backend."""
        tags = quote(f"{tag(backend)}=1")
        return (
            "start one there with: "
            f"dask worker {self.address} --nthreads 1 --resources {tags}"
        )

    def lost(self) -> ParityError:
        """Say that nobody answers."""
        return ParityError(f"the Dask scheduler at {self.address} was lost")


def another_worker(
    backend: str, worker: str, unlike: list[str], where: str
) -> UsageError:
    """Say that results of two environments would be mixed."""
    return UsageError(
        f"{backend} on the Dask worker {worker} is another than {where}: "
        f"{clean('; '.join(unlike))}; end that worker, or give it what the others have"
    )


def in_words(error: BaseException) -> str:
    """Say an exception of another process on one line."""
    said = clean(" ".join(str(error).split()))[:300]
    return f"{type(error).__name__}: {said}"


@contextmanager
def workers_here(backends: list[str], each: int) -> Iterator[Crew]:
    """Start Dask workers on this machine, which nobody else reaches.

    Args:
        backends: What they offer.
        each: Workers for each of these; a worker offers one.

    Raises:
        ParityError: They do not start.

    """
    options = {
        "nthreads": 1,
        "host": _HERE,
        **_NO_PAGES,
        "memory_limit": 0,  # that of a case is looked at by our own worker process
        "silence_logs": logging.CRITICAL,
    }
    workers = {
        f"{name} {number}": {
            "cls": Nanny,
            "options": {**options, "resources": {tag(name): 1}},
        }
        for name in backends
        for number in range(each)
    }
    scheduler = {
        "cls": Scheduler,
        "options": {"host": _HERE, "port": 0, **_NO_PAGES},
    }
    _quiet()
    with (
        supervised(),
        SpecCluster(
            workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL
        ) as cluster,
        Client(cluster) as client,
    ):
        yield Crew(client, cluster.scheduler_address, is_given=False)


@contextmanager
def workers_at(address: str) -> Iterator[Crew]:
    """Find Dask workers at a scheduler.

    Raises:
        UsageError: There is none.

    """
    _quiet()
    try:
        client = Client(address, timeout=CONNECT)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address!r} ({in_words(error)}); start one "
            "with 'dask scheduler', and give the address that it prints, as in "
            "tcp://10.0.0.1:8786"
        ) from None
    with client:
        yield Crew(client, address, is_given=True)


def _quiet() -> None:
    """Keep the logs of Dask off the screen: what is worth saying we say.

    For good, as it logs what it was at when it had to end.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LOGGERS:  # Dask sets levels of its own
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
