"""What commands end with: one table, that of docs/commands.md, for all."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses; of what applies, the first in this order."""

    DIFFERS = 1
    """Something is shown to be wrong."""
    CRASHED = 3
    """A backend crashed or hung."""
    NOTHING = 2
    """Wrong usage, nothing compared, or no output could be written."""
    INCONCLUSIVE = 4
    """Nothing is wrong, but of some results nothing is shown."""
    FINE = 0


def exit_of(
    *, wrong: object, crashed: object, done: object, unshown: object = False
) -> Exit:
    """Give the exit status of what was done.

    Args:
        wrong: Whether something is wrong.
        crashed: Whether a backend crashed or hung.
        done: Whether anything was compared at all.
        unshown: Whether something that counts is not shown, though nothing is wrong.

    """
    found = (
        (wrong, Exit.DIFFERS),
        (crashed, Exit.CRASHED),
        (not done, Exit.NOTHING),
        (unshown, Exit.INCONCLUSIVE),
    )
    return next((status for applies, status in found if applies), Exit.FINE)
