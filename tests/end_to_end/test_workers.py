"""`freeaichat up` with several proxies on the port."""

import os
import signal
from pathlib import Path

from tests.end_to_end.running_up import by_hand, running_up, still_running
from tests.site import SimulatedSite


async def test_up_runs_as_many_proxies_as_are_set_and_ends_them_all(tmp_path: Path) -> None:
    async with SimulatedSite() as site, running_up(site.url, tmp_path, FREEAICHAT_WORKERS="2", **by_hand(site)) as up:
        await up.ready()
        await up.printed("\ncurl ")
        proxies = [child for child in up.supervisor.children() if "--worker" in child.cmdline()]
        assert [child.cmdline()[-3:] for child in proxies] == [["proxy", "--worker", number] for number in "12"]
        os.kill(proxies[0].pid, signal.SIGKILL)
        await up.printed("proxy 1 ended (signal 9, Killed); starting it again")
        answer = await up.chat("hi")
        all_processes = up.all_processes()

        assert await up.stop(signal.SIGTERM) == 0
        assert await still_running(all_processes, seconds=3.0) == []
    assert answer["choices"][0]["message"]["content"].startswith("[gpt-4o-mini] You said: hi")
