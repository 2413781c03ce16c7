"""What takes long is not done where everybody else waits."""

import threading

from proxy.chat.offload import LARGE_BYTES
from proxy.server.bodies import work_on


async def test_work_on_much_is_done_in_a_thread_and_on_little_here() -> None:
    def where(content: bytes) -> tuple[int, bool]:
        return len(content), threading.current_thread() is threading.main_thread()

    assert await work_on(bytes(LARGE_BYTES), where) == (LARGE_BYTES, True)
    assert await work_on(bytes(LARGE_BYTES + 1), where) == (LARGE_BYTES + 1, False)
