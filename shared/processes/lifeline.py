"""A pipe by which children end with their parent, even when the parent was killed.

The parent keeps the write end of a pipe and never writes. The system closes it when the parent ends, however it
ends, and the child, which watches the read end, sees end-of-file.
"""

import os
from collections.abc import Callable

ENVIRONMENT_NAME = "FREEAICHAT_LIFELINE_FD"


class Lifeline:
    """The parent's end for one child: start that with `environment` and `pass_fds`, then call `close_child_end`."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        self.environment = {ENVIRONMENT_NAME: str(self._read_end)}
        self.pass_fds = (self._read_end,)

    def close_child_end(self) -> None:
        """Close our copy of the child's end, once the child runs."""
        os.close(self._read_end)

    def stop(self) -> None:
        """Close the pipe, at which the child ends."""
        os.close(self._write_end)


def on_parent_exit(callback: Callable[[], object]) -> None:
    """Call *callback* once in the running loop when the parent is gone. Does nothing without a lifeline."""
    import asyncio  # here, so that a parent which only makes lifelines stays small

    number = os.environ.pop(ENVIRONMENT_NAME, "")  # our own children must not take it for theirs
    if not number:
        return
    descriptor = int(number)
    os.set_inheritable(descriptor, False)
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(descriptor)
        callback()

    loop.add_reader(descriptor, ended)
