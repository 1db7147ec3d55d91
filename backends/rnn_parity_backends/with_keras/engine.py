"""The backend of Keras' that a process has."""

import keras


def check(wanted: str) -> None:
    """See that Keras computes with the backend that an adapter speaks of.

    Raises:
        RuntimeError: Keras was imported already, and computes with another.

    """
    found = keras.backend.backend()
    if found != wanted:
        raise RuntimeError(
            f"Keras computes with {found} in this process already, and cannot change "
            f"to {wanted}: each of its backends needs a worker of its own"
        )
