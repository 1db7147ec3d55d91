"""How pytest-xdist hands out the plugin's items: a backend's to one process.

By a scheduler, and not by marks of `xdist_group`: these put the group's name into the
node IDs that `--lf` and JUnit know tests by, and with them a process that dies brings
the run to a halt (pytest-xdist 3.8, issues 1323 and 1327).
"""

from collections.abc import Mapping
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling


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
        """Send the next tests that wait: `num`, or a backend's that stand together."""
        waiting = [self._backends.get(self.collection[i]) for i in self.pending]
        first = waiting[0] if waiting else None
        if first:
            others = (n for n, backend in enumerate(waiting) if backend != first)
            num = next(others, len(waiting))
        super()._send_tests(node, num)
