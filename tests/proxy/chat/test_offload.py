"""Slow work does not block the event loop."""

import threading

from proxy.chat.offload import LARGE_BYTES, offload


async def test_work_on_much_is_done_in_a_thread_and_on_little_here() -> None:
    def is_here() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert await offload(LARGE_BYTES, is_here)
    assert not await offload(LARGE_BYTES + 1, is_here)
