"""Working out a value in a process of its own, so that what has to be imported for it is not kept by this one."""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def begin(function: Callable[[], T]) -> Callable[[], T]:
    """Call *function* in a copy of this process, beside it; what is returned waits, and returns or raises the same.

    Values and errors have to be such that `pickle` knows. To be called before there are threads, which a copy lacks.
    Where the system makes no copies of processes, *function* is called here, when the value is asked for.
    """
    if not hasattr(os, "fork"):
        return function
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        _work(function, writable)
    os.close(writable)

    def outcome() -> T:
        with os.fdopen(readable, "rb") as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        if not told:
            raise RuntimeError("the process that was to work out a value ended without a word")
        value, error = pickle.loads(told)  # noqa: S301  (our own child wrote it)
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]

    return outcome


def _work(function: Callable[[], T], writable: int) -> None:
    """Write the outcome and end, without a word to what the two processes share."""
    try:
        try:
            told = pickle.dumps((function(), None))
        except Exception as error:  # noqa: BLE001  (it is raised where the value is asked for)
            told = _packed(error)
        with os.fdopen(writable, "wb") as pipe:
            pipe.write(told)
    finally:
        os._exit(0)


def _packed(error: Exception) -> bytes:
    """*error*, with where it was raised as a note; one that `pickle` does not know as that text alone."""
    place = traceback.format_exc()
    error.add_note(place)
    try:
        packed = pickle.dumps((None, error))
        pickle.loads(packed)  # noqa: S301  (some errors are packed and cannot be unpacked)
    except Exception:  # noqa: BLE001  (whatever their own methods raise)
        return pickle.dumps((None, RuntimeError(place)))
    return packed
