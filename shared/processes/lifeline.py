"""Children that end when their parent does, even when the parent was killed.

The parent keeps the write end of a pipe and never writes. The system closes it when the parent ends, however it
ends, and the child, which watches the read end, sees end-of-file.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

ENVIRONMENT_NAME = "FREEAICHAT_LIFELINE_FD"


@dataclass(frozen=True, slots=True)
class Lifeline:
    """The parent's side. Give `environment` and `pass_fds` to the child, then call `hand_over`."""

    read_end: int
    write_end: int

    @property
    def environment(self) -> dict[str, str]:
        """What the child needs in its environment."""
        return {ENVIRONMENT_NAME: str(self.read_end)}

    @property
    def pass_fds(self) -> tuple[int, ...]:
        """The descriptors the child must inherit."""
        return (self.read_end,)

    def hand_over(self) -> None:
        """Close our copy of the child's end, once the child runs."""
        os.close(self.read_end)

    def cut(self) -> None:
        """Let the child know that it is to end."""
        os.close(self.write_end)


def make_lifeline() -> Lifeline:
    """A lifeline for one child."""
    return Lifeline(*os.pipe())


def on_parent_gone(callback: Callable[[], object]) -> None:
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
