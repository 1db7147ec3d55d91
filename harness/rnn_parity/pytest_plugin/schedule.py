"""How pytest-xdist hands out the plugin's items: a backend's to one process.

By a scheduler, and not by marks of `xdist_group`: these put the group's name into the
node IDs that `--lf` and JUnit know tests by, and with them a process that dies brings
the run to a halt (pytest-xdist 3.8, issues 1323 and 1327).
"""

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling

_FEWEST = 2


class ByBackend(LoadScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Hands out what `--dist load` does, and all of a backend where it begins one.

    Args:
        config: pytest's.
        log: pytest-xdist's.
        backends: Node ID → backend, of the plugin's items.

    """

    def __init__(
        self, config: pytest.Config, log: Any, backends: Mapping[str, str]
    ) -> None:
        super().__init__(config, log)
        self._backends = backends

    def _send_tests(self, node: Any, num: int) -> None:
        """Send what waits: all of a backend, or `num` tests that are not ours."""
        super()._send_tests(node, self._together(num))
        # A process begins a test when it knows of another one.
        while self.pending and len(self.node2pending[node]) < min(num, _FEWEST):
            super()._send_tests(node, self._together(num))

    def _together(self, num: int) -> int:
        """Count the tests that wait first and that belong together."""
        waiting = [self._backends.get(self.collection[n]) for n in self.pending]
        alike = len(list(takewhile(lambda backend: backend == waiting[0], waiting)))
        return alike if any(waiting[:1]) else min(num, alike)
