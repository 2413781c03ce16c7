"""Texts that the upstream would lose, misroute or garble."""

import base64

import pytest

from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 40).decode()


def received_text(site: SimulatedSite) -> str:
    """The user's message as the model got it."""
    return site.model_calls[-1].messages[-1]["content"]


@pytest.mark.parametrize("text", ["0", " 0 ", "00", "false", "null", "[]", "{}", "/image a cat", "/generate x"])
async def test_texts_the_site_would_trip_over_arrive(proxy: RunningProxy, site: SimulatedSite, text: str) -> None:
    answer = await proxy.chat(text)

    assert answer.status == 200, answer.body
    assert received_text(site).strip() == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        '{"stream_context": "content_writer", "x": 1}',
        ' {"stream_\\u0063ontext": "ai_forms"}\n',
        '{"stream_context":"nonsense"}',
        '{"stream_context":5}',
        '{"stream_context":"chat","user_message":"other"}',
    ],
)
async def test_a_json_message_is_not_misrouted(proxy: RunningProxy, site: SimulatedSite, text: str) -> None:
    answer = await proxy.chat(text)

    assert answer.status == 200, answer.body
    assert text.strip() in received_text(site)


@pytest.mark.parametrize("model", ["gpt-4o-mini-helper", "gpt-5-nano"])
@pytest.mark.parametrize("text", ["", " \n", "\0"])
async def test_a_history_that_ends_with_nothing_is_told_whole(
    proxy: RunningProxy, site: SimulatedSite, model: str, text: str
) -> None:
    first = await proxy.chat("hi", model=model)

    answer = await proxy.chat("hi", {"role": "assistant", "content": first.text}, text, model=model)

    assert answer.status == 200, answer.body
    assert first.text in received_text(site)


async def test_nul_and_a_lone_surrogate_do_not_empty_the_message(proxy: RunningProxy, site: SimulatedSite) -> None:
    raw = b'{"model":"gpt-4o-mini-helper","messages":[{"role":"user","content":"a\\u0000b \\ud83d c"}]}'
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", data=raw) as response:
        assert response.status == 200, await response.text()

    assert received_text(site) == "ab \ufffd c"


async def test_an_image_without_text_gets_some(proxy: RunningProxy, site: SimulatedSite) -> None:
    parts = [{"type": "image_url", "image_url": {"url": PNG}}]

    answer = await proxy.chat({"role": "user", "content": parts}, model="vision-bot-视觉")

    assert "images=1" in answer.text
    assert received_text(site)


async def test_an_image_with_text_arrives_with_it(proxy: RunningProxy, site: SimulatedSite) -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": PNG}}]

    answer = await proxy.chat({"role": "user", "content": parts}, model="vision-bot-视觉")

    assert "images=1" in answer.text
    assert received_text(site) == "look"


@pytest.mark.parametrize("mode", ["burst", "bytewise", "keepalive"])
async def test_however_the_deltas_are_cut_the_text_is_whole(proxy: RunningProxy, mode: str) -> None:
    answer = await proxy.chat(f"[[mode:{mode}]] hi")

    assert '你好,世界! 😀👨‍👩‍👧 café "quoted" \\ back/slash\nprior=0 images=0 END' in answer.text


async def test_an_empty_first_delta_is_no_text(proxy: RunningProxy) -> None:
    answer = await proxy.chat("hi", model="deepseek-bot")

    assert answer.text.startswith("[deepseek-chat] You said: hi")


async def test_one_long_event_arrives_complete(proxy: RunningProxy) -> None:
    answer = await proxy.chat("[[one_event:2000000]]")

    assert len(answer.text.encode()) == 2_000_000


async def test_a_long_message_in_any_script_arrives_complete(proxy: RunningProxy, site: SimulatedSite) -> None:
    text = "[[say:it came]] " + "你好 <b>x</b> & 😀 " * 60_000

    assert (await proxy.chat(text)).status == 200
    assert received_text(site).strip() == text.strip()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_double_encoded_reply_is_repaired(proxy: RunningProxy, stream: bool) -> None:
    if stream:
        chunks = await proxy.openai.chat.completions.create(
            model="gpt-4o-mini-helper", messages=[{"role": "user", "content": "[[mojibake]] hi"}], stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
    else:
        text = (await proxy.chat("[[mojibake]] hi")).text

    assert '你好,世界! 😀👨‍👩‍👧 café "quoted" \\ back/slash' in text


async def test_text_that_is_meant_to_look_odd_is_left_alone(proxy: RunningProxy) -> None:
    mojibake = "In Latin-1, 你好 reads ä½\xa0å¥½ and é reads Ã©."

    assert mojibake in (await proxy.chat(f"[[say:{mojibake}]]")).text


@pytest.mark.parametrize("limit", ["post_max_size", "max_allowed_packet", "body_limit"])
async def test_a_message_that_is_too_large_for_the_site_is_told_so_and_leaves_the_site_well(
    proxy: RunningProxy, site: SimulatedSite, limit: str
) -> None:
    site.behaviour.update({limit: 1 << 20})
    for _ in range(6):
        answer = await proxy.chat("word " * 250_000)
        assert (answer.status, answer.code) == (413, "request_too_large")

    assert (await proxy.chat("hi")).status == 200
