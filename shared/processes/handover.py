"""Handing a value to the processes that this one starts, where they would take long to work it out again.

It lies in a file in memory, whose descriptor they inherit: it may be secret.
"""

import os
import pickle
import sys
from typing import Any

ENVIRONMENT_NAME = "FREEAICHAT_HANDOVER_FD"


def hand_over(value: object) -> None:
    """Hand *value* to all processes that are started from now on, also by what replaces this one (exec).

    It has to be picklable. Where the system has no files in memory, nothing is handed over.
    """
    if sys.platform == "linux":
        descriptor = os.memfd_create("handover", 0)  # inherited, also by what replaces this process
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            pickle.dump(value, file)
        os.environ[ENVIRONMENT_NAME] = str(descriptor)


def take_over() -> Any:
    """The value that was handed to this process; None if none was, or it was taken already."""
    number = os.environ.pop(ENVIRONMENT_NAME, "")  # our own children must not look for it
    if not number:
        return None
    descriptor = int(number)
    try:
        payload = os.pread(descriptor, os.fstat(descriptor).st_size, 0)  # others share the position
    finally:
        os.close(descriptor)
    return pickle.loads(payload)  # noqa: S301  (our own parent wrote it)
