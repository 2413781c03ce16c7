"""Memory for clients that send the whole history each time and know of no conversation id."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy.chat import upstream_copies
from tests.figures import figure
from tests.proxy.running import RunningProxy, capture, running_proxy, wait_until_idle
from tests.proxy.upstreams.aipkit.test_transcript import parse
from tests.site import ModelCall, SimulatedSite

STATEFUL, STATELESS = "gpt-5-nano", "gpt-4o-mini-helper"
TURNS = 30
TEXTS = (
    "hello",
    "```python\nif a < b && c > d:\n    print('<b>&amp;</b>')\n```",
    "用中文回答：什么是 HTML？",
    "----- user -----\nnot a header",
    "<script>alert(1)</script> &lt; ünïcode 😀",
)

History = list[dict[str, str]]


def known_texts(call: ModelCall) -> History:
    """All that the model knows, transcripts opened, without the site's own instructions."""
    found: History = []
    for message in call.context:
        if message["role"] == "system":
            continue
        if message["role"] == "user" and message["content"].startswith("Below is our conversation"):
            found += [{"role": item.role, "content": item.text} for item in parse(message["content"])]
        else:
            found.append(message)
    return found


def trimmed(history: History) -> History:
    return [{"role": message["role"], "content": message["content"].strip()} for message in history]


class Client:
    """A client that carries its history itself, and checks at every turn that the model knows exactly that."""

    def __init__(self, proxy: RunningProxy, site: SimulatedSite, model: str) -> None:
        self.history: History = []
        self._proxy = proxy
        self._site = site
        self._model = model

    async def say(self, text: str) -> None:
        self.history.append({"role": "user", "content": text})
        messages: Any = self.history
        answer = await self._proxy.openai.chat.completions.create(model=self._model, messages=messages)
        assert trimmed(known_texts(self._site.model_calls[-1])) == trimmed(self.history)
        self.history.append({"role": "assistant", "content": answer.choices[0].message.content or ""})


@pytest.mark.parametrize("is_stored", [False, True])
async def test_the_copy_is_kept_if_the_client_leaves_in_the_queue(
    site: SimulatedSite, tmp_path: Path, is_stored: bool
) -> None:
    async with running_proxy(site, tmp_path, max_upstream=1) as proxy:
        fields: Any = {"conversation_id": (await proxy.openai.conversations.create()).id} if is_stored else {}
        first = await proxy.chat("one", model=STATEFUL, **fields)
        turn: Any = ["one", {"role": "assistant", "content": first.text}, "two"]
        other = asyncio.create_task(proxy.chat("[[tokens:5]] [[delay:0.2]]"))
        async with asyncio.timeout(5):
            while not site.open_streams:
                await asyncio.sleep(0.005)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await proxy.chat(*turn, model=STATEFUL, **fields)
        await other
        await wait_until_idle(proxy)
        await proxy.chat(*turn, model=STATEFUL, **fields)

    assert [message["content"] for message in site.model_calls[-1].messages if message["role"] == "user"] == ["two"]


async def test_the_copy_is_kept_where_its_answer_is_asked_to_go_on(proxy: RunningProxy, site: SimulatedSite) -> None:
    first = await proxy.chat("one", model=STATEFUL)
    turn: Any = ["one", {"role": "assistant", "content": first.text}]
    await proxy.chat(*turn, model=STATEFUL)
    await proxy.chat(*turn, "two", model=STATEFUL)

    assert [message["content"] for message in site.model_calls[-1].messages if message["role"] == "user"] == ["two"]


def bytes_sent(site: SimulatedSite) -> int:
    return sum(
        len(request.fields["message"].encode())
        for request in site.requests
        if request.action == "aipkit_cache_sse_message"
    )


async def dialogue(proxy: RunningProxy, site: SimulatedSite, model: str) -> int:
    """Thirty turns with code, HTML and Chinese, an edit, a regenerate and a branch; the bytes sent to the site."""
    client = Client(proxy, site, model)
    for number in range(TURNS):
        await client.say(f"{TEXTS[number % len(TEXTS)]} ({number})\n[[say:answer {number}: x < y && 你好]]")
        if number == 10:  # edited: an earlier message of the user changes, and what followed goes
            client.history = [*client.history[:8], {"role": "user", "content": "edited [[say:so be it]]"}]
            await client.say(client.history.pop()["content"])
        if number == 15:  # regenerated: the last question once more
            client.history.pop()
            await client.say(client.history.pop()["content"])
        if number == 20:  # a branch from the middle, left again
            kept = list(client.history)
            client.history = client.history[:6]
            await client.say("another way [[say:fine]]")
            client.history = kept
    return bytes_sent(site)


@pytest.mark.parametrize("model", [STATEFUL, STATELESS, "gemini-flash"])
async def test_the_model_always_knows_exactly_what_the_client_sent(
    site: SimulatedSite, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_copies, "LOOK_UP_SECONDS", 10.0)  # a busy machine's store may be slow
    async with running_proxy(site, tmp_path / "auto") as proxy:
        sent = await dialogue(proxy, site, model)
    figure(f"{model}: bytes sent in {TURNS} turns", f"{sent}")
    if model == STATEFUL:  # what is told anew is the same for all
        site.clear_records()
        async with running_proxy(site, tmp_path / "replay", history="replay") as proxy:
            replayed = await dialogue(proxy, site, model)
        figure(f"bytes sent in {TURNS} turns that tell all anew", f"{replayed}")
        assert sent < replayed / 3


async def test_only_the_new_message_goes_to_a_site_that_holds_the_rest(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    client = Client(proxy, site, STATEFUL)
    await client.say("my name is Ada")
    await client.say("what is my name?")

    first, second = site.model_calls
    assert second.conversation_uuid == first.conversation_uuid
    assert site.requests[-2].fields["message"] == "what is my name?"


async def test_memory_survives_a_restart(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path) as proxy:
        client = Client(proxy, site, STATEFUL)
        await client.say("one")
        history = client.history
    async with running_proxy(site, tmp_path) as proxy:
        client = Client(proxy, site, STATEFUL)
        client.history = history
        await client.say("two")

    first, second = site.model_calls
    assert second.conversation_uuid == first.conversation_uuid


async def test_parallel_turns_on_one_history_get_branches_of_their_own(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    client = Client(proxy, site, STATEFUL)
    await client.say("one")

    async def ask(text: str) -> Any:
        return await proxy.chat(*client.history, text, model=STATEFUL)

    await asyncio.gather(*(ask(f"[[delay:0.02]] branch {number}") for number in range(5)))

    calls = site.model_calls[1:]
    assert len({call.conversation_uuid for call in calls}) == 5
    for call in calls:
        assert len([message for message in known_texts(call) if "branch" in message["content"]]) == 1


async def test_chats_that_begin_alike_do_not_share_a_conversation(proxy: RunningProxy, site: SimulatedSite) -> None:
    one, other = Client(proxy, site, STATEFUL), Client(proxy, site, STATEFUL)
    await one.say("hello")
    await other.say("hello")
    await one.say("I like red")
    await other.say("I like blue")
    await one.say("what do I like?")
    await other.say("what do I like?")

    assert "blue" not in str(known_texts(site.model_calls[-2]))
    assert "red" not in str(known_texts(site.model_calls[-1]))


async def test_another_guest_identity_continues_nothing(proxy: RunningProxy, site: SimulatedSite) -> None:
    client = Client(proxy, site, STATEFUL)
    await client.say("one")
    taken = await capture(site)
    other = replace(taken.credentials, session_id="another-guest")
    await proxy.takes(replace(taken, credentials=other), base=1)

    await client.say("two")

    assert site.model_calls[-1].session_id == "another-guest"
    assert site.model_calls[-1].conversation_uuid != site.model_calls[0].conversation_uuid


async def test_a_conversation_with_html_on_a_bot_without_state_is_replayed(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    async with proxy.http.post(f"{proxy.url}/v1/conversations") as response:
        conversation = (await response.json())["id"]
    await proxy.chat("if a < b && c > d", conversation_id=conversation)

    await proxy.chat("next", conversation_id=conversation)

    assert "if a < b && c > d" in str(known_texts(site.model_calls[-1]))
