"""What a process that judges does before it judges anything."""

import multiprocessing
import os
import signal
import threading

from harness.judge.memory import keep_memory


def serve() -> None:
    """Leave Ctrl-C to the main process, which a terminal sends it to, too; end with it.

    One that is killed tells nobody, and whoever waits for more to judge waits for ever.
    """
    keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
