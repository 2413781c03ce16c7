"""Requests leave no reference cycles: the proxy runs the garbage collector seldom."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from proxy.chat.errors import drop_tracebacks
from proxy.upstreams.gate import Gate
from tests.proxy.running import RunningProxy, wait_until_idle
from tests.site import SimulatedSite
from tests.site.model import BREAKS

REQUESTS = 5


@contextmanager
def uncollected() -> Iterator[Counter[str]]:
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


def test_reference_cycles_are_found() -> None:
    with uncollected() as found:
        gate = Gate("https://site.example", 1)
        gate.itself = gate  # type: ignore[attr-defined]
        del gate
    assert found["proxy.upstreams.gate.Gate"] == 1


MODES = ["cut", "late_error", "error_event", "empty", "refused", "reset", "err403", "err429quota", "err500"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fields", [{}, {"n": 2}, {"stop": ["never said"]}, {"max_tokens": 2}])
async def test_answers(proxy: RunningProxy, stream: bool, fields: dict[str, Any]) -> None:
    assert not await leftovers(proxy, {"stream": stream, **fields}, "hi")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", MODES)
async def test_answers_that_fail(proxy: RunningProxy, stream: bool, mode: str) -> None:
    assert not await leftovers(proxy, {"stream": stream}, f"[[mode:{mode}]]")


async def test_answers_that_nobody_waits_for(proxy: RunningProxy) -> None:
    assert not await leftovers(proxy, {"stream": True}, "[[delay:0.01]] [[tokens:500]]", read=20)


@pytest.mark.parametrize("ending", ["ok", "late_error"])  # with more behind the calls, and with a failure behind them
async def test_calls_of_emulated_tools(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    is_ok = ending == "ok"
    monkeypatch.setitem(BREAKS, "late_error", 100)  # behind all of the answer
    site.behaviour.scripts = {"count": [{"calls": [["count", {}]], "after": "[result of count]" if is_ok else ""}]}
    text = f"[[script:count]] {'' if is_ok else '[[mode:late_error]]'}"
    fields = {"stream": True, "tools": [{"type": "function", "function": {"name": "count"}}]}

    assert not await leftovers(proxy, fields, text, says=b'"finish_reason":"tool_calls"')


async def leftovers(
    proxy: RunningProxy, fields: dict[str, Any], text: str, read: int = -1, says: bytes = b""
) -> dict[str, int]:
    """What each of some requests leaves behind; *read*: bytes after which the client leaves; *says*: what comes."""
    body = {"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": text}], **fields}

    async def ask() -> None:
        async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
            assert says in await response.content.read(read)

    await ask()
    with uncollected() as found:
        for _ in range(REQUESTS):
            await ask()
        await wait_until_idle(proxy)
    return {name: count for name, count in found.items() if count >= REQUESTS}


def test_errors_in_a_group_lose_their_tracebacks_with_it() -> None:
    with pytest.raises(ZeroDivisionError) as exc_info:
        1 / 0  # noqa: B018

    drop_tracebacks(ExceptionGroup("all of them", [exc_info.value]))

    assert exc_info.value.__traceback__ is None
