"""The AI Engine site as a process of its own, and the address that steers it."""

import aiohttp
import pytest

from tests.site.process import running_site
from tests.site_ai_engine import Behaviour


async def test_a_site_in_a_process_of_its_own_is_steered_and_tells_what_it_saw() -> None:
    arguments = ("--base-path", "/blog", "--plain-permalinks", "--option", "streams=false")
    async with running_site(*arguments, module="tests.site_ai_engine") as site, aiohttp.ClientSession() as http:
        url = f"{site.url}index.php?rest_route=/mwai/v1/start_session"
        async with http.post(url) as answer:
            first = (await answer.json())["restNonce"]
        state = await site.control(rotate_nonce=True, delta_delay=1)
        cleared = await site.control(clear=True)

    assert site.url.endswith("/blog/")
    assert state["nonce"] != first
    assert (state["behaviour"]["streams"], state["behaviour"]["delta_delay"]) == (False, 1.0)
    assert (state["requests"], cleared["requests"]) == ({"/mwai/v1/start_session": 1}, {})


@pytest.mark.parametrize("switches", [{"nothing": 1}, {"streams": 1}, {"page": "odd"}, {"update": 1}])
def test_a_switch_that_is_none_is_refused(switches: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (each of its messages names the switch)
        Behaviour().update(switches)
