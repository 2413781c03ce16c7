"""Calling a function in a forked process, so that the modules it imports do not stay in this one."""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def call_in_fork(function: Callable[[], T]) -> Callable[[], T]:
    """Start *function* in a fork of this process; the returned callable waits, and returns or raises what it did.

    Values and errors have to be picklable. Call it before there are threads, which a fork lacks.
    """
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        _run_child(function, writable)
    os.close(writable)

    def outcome() -> T:
        with os.fdopen(readable, "rb") as pipe:
            payload = pipe.read()
        os.waitpid(child, 0)
        if not payload:
            raise RuntimeError("the process that was to work out a value ended without a word")
        value, error = pickle.loads(payload)  # noqa: S301  (our own child wrote it)
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]

    return outcome


def _run_child(function: Callable[[], T], writable: int) -> None:
    """Write the outcome and exit, without running exit handlers or flushing shared streams."""
    try:
        try:
            payload = pickle.dumps((function(), None))
        except Exception as error:  # noqa: BLE001  (it is raised in the parent)
            payload = _pickled(error)
        with os.fdopen(writable, "wb") as pipe:
            pipe.write(payload)
    finally:
        os._exit(0)


def _pickled(error: Exception) -> bytes:
    """*error* pickled, with its traceback as a note; an unpicklable one becomes a RuntimeError with that text."""
    trace = traceback.format_exc()
    error.add_note(trace)
    try:
        payload = pickle.dumps((None, error))
        pickle.loads(payload)  # noqa: S301  (some errors are packed and cannot be unpacked)
    except Exception:  # noqa: BLE001  (whatever their own methods raise)
        return pickle.dumps((None, RuntimeError(trace)))
    return payload
