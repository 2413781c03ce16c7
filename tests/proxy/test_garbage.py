"""A request leaves nothing that only the garbage collector can free: the proxy lets it look seldom."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from proxy.sites import SiteGate
from tests.proxy.running import RunningProxy

REQUESTS = 5


@contextmanager
def left() -> Iterator[Counter[str]]:
    """The objects of the proxy that only the collector found, by type; filled in at the end."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found.update(
            f"{type(item).__module__}.{type(item).__qualname__}"
            for item in gc.garbage
            if type(item).__module__.startswith(("proxy.", "shared."))
        )
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_what_leads_back_to_itself_is_found() -> None:
    with left() as found:
        gate = SiteGate("https://site.example", 1)
        gate.itself = gate  # type: ignore[attr-defined]
        del gate
    assert found["proxy.sites.SiteGate"] == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fields", [{}, {"n": 2}, {"stop": ["never said"]}, {"max_tokens": 2}])
async def test_answers(proxy: RunningProxy, stream: bool, fields: dict[str, Any]) -> None:
    body = {"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": "hi"}], "stream": stream, **fields}

    async def ask() -> None:
        async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
            assert response.status == 200
            await response.read()

    await ask()
    with left() as found:
        for _ in range(REQUESTS):
            await ask()
    assert not {name: count for name, count in found.items() if count >= REQUESTS}
