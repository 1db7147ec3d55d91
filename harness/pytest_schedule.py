"""How pytest-xdist hands out the plugin's items: a backend's to one process.

By a scheduler, and not by marks of `xdist_group`, which put the group's name into the
node IDs that `--lf` and JUnit know tests by.
"""

from collections.abc import Container
from typing import Any

import pytest
from xdist.scheduler import (
    LoadFileScheduling,
    LoadGroupScheduling,
    LoadScopeScheduling,
)

# What each `--dist` does with tests that are not ours; `load`, which `-n` stands for,
# hands them out one by one, as grouping does without groups.
_USUAL = {
    "load": LoadGroupScheduling,
    "loadgroup": LoadGroupScheduling,
    "loadfile": LoadFileScheduling,
    "loadscope": LoadScopeScheduling,
}


def scheduler(config: pytest.Config, log: Any, ours: Container[str]) -> Any:
    """Give a scheduler that keeps the items of a backend together.

    Args:
        config: pytest's.
        log: pytest-xdist's.
        ours: Node IDs of the plugin's items, `parity::CASE[BACKEND]`.

    Returns:
        None if `--dist` asks for what groups nothing: `each` or `worksteal`.

    """
    usual = _USUAL.get(config.getvalue("dist"))
    if usual is None:
        return None

    class ByBackend(usual):  # type: ignore[valid-type, misc]
        def _split_scope(self, nodeid: str) -> str:
            if nodeid in ours:
                return nodeid.partition("[")[2]
            return str(super()._split_scope(nodeid))

    return ByBackend(config, log)
