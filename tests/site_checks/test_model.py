"""The simulated model and its directives."""

import json

import pytest

from tests.site import SimulatedSite
from tests.site.model import BREAKS, double_encoded, respond
from tests.site_checks.raw import RawAnswer
from tests.site_checks.visitor import Visitor

HISTORY = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "first\nline"},
    {"role": "assistant", "content": "answer <b>"},
]


def reply(text: str) -> str:
    """The whole text of the model's turn after `HISTORY`."""
    messages = [*HISTORY, {"role": "user", "content": text}]
    return "".join(respond(messages, model="stub", images=0, web_search=False).pieces)


def deltas(answer: RawAnswer) -> list[str]:
    """The pieces of a stream."""
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith('data: {"delta"')]
    return [json.loads(line)["delta"] for line in lines]


def test_the_say_directive_replies_exactly_the_text() -> None:
    assert reply('[[say:你好 [x] "q"\n\n& <b>]] rest') == '你好 [x] "q"\n\n& <b>'


def test_the_recall_directive_lists_all_roles_and_texts_verbatim() -> None:
    assert reply("[[recall]] now") == "user: first\nline\nassistant: answer <b>\nuser: [[recall]] now"


def test_the_tokens_directive_sends_numbered_chunks() -> None:
    script = respond([{"role": "user", "content": "[[tokens:3]]"}], model="m", images=0, web_search=False)

    assert script.pieces == ("word1 ", "word2 ", "word3 ")


def test_mojibake_can_be_undone() -> None:
    broken = reply("[[mojibake]] 世界 ’")

    assert "世界" not in broken
    assert double_encoded("é’") == "Ã©â€™"
    undone = b"".join(char.encode("cp1252") if ord(char) > 0xFF else char.encode("latin-1") for char in broken).decode()
    assert undone.startswith("[stub] You said: [[mojibake]] 世界 ’\n你好")


def test_blank_gives_no_text_and_one_event_a_huge_piece() -> None:
    assert reply("[[blank]]") == ""
    script = respond([{"role": "user", "content": "[[one_event:300000]]"}], model="m", images=0, web_search=False)
    assert [len(piece) for piece in script.pieces] == [300000]


def test_directives_of_a_transcripts_earlier_messages_do_not_count() -> None:
    transcript = "Our talk:\n\n----- user -----\n[[mode:err500]] x\n\n----- user -----\n[[say:hello]]"

    assert reply(transcript) == "hello"


@pytest.mark.parametrize("text", ["[[delay:x]]", "[[tokens:many]]", "[[nothing]]", "[[mode:"])
def test_what_is_no_directive_is_echoed(text: str) -> None:
    assert f"You said: {text}\n" in reply(text)


@pytest.mark.parametrize("bot", [5, 6, 7, 9, 10, 11, 12, 18, 19])
@pytest.mark.parametrize("mode", [*sorted(BREAKS), "no_such_mode"])
async def test_every_failure_of_every_provider_ends_as_documented(bot: int, mode: str) -> None:
    async with SimulatedSite() as site:
        site.behaviour.upstream_timeout = 0.2
        visitor = Visitor(site)
        answer = await visitor.send(f"[[mode:{mode}]] please", bot)
        roles = [message.role for message in site.logs[bot, visitor.session_id, visitor.conversation]]

    ends_well = mode in {"cut_clean", "incomplete", "refusal"} or (mode == "late_error" and bot == 11)
    assert "event: message_start" in answer.text
    assert answer.text.endswith('event: done\ndata: {"finished":true}\n\n') is ends_well
    assert ("event: error" in answer.text) is not ends_well
    # Of its limit Google tells nothing since 2.4.67, of its filter Claude in a status alone.
    is_silent = (mode, bot) in {("incomplete", 11), ("refusal", 12)}
    assert ("event: warning" in answer.text) is (mode in {"incomplete", "refusal"} and not is_silent)
    assert ('"stop_reason":"refusal"' in answer.text) is ((mode, bot) == ("refusal", 12))
    assert roles == (["user", "bot"] if ends_well else ["user"])


async def test_the_first_delta_of_chat_completions_upstreams_is_empty() -> None:
    async with SimulatedSite() as site:
        answer = await Visitor(site).send("hi", 9)

    assert deltas(answer)[:2] == ["", "[deepseek-chat] "]


async def test_a_delay_in_the_text_spaces_the_pieces() -> None:
    async with SimulatedSite() as site:
        site.behaviour.upstream_timeout = 0.5
        answer = await Visitor(site).send("[[delay:0.2]] hi")

    # A live but slow answer is cut by the time limit of the whole transfer.
    assert deltas(answer) == ["[gpt-4o-mini] ", "You said: ", "[[delay:0.2]"]
    assert "Operation timed out after 500 milliseconds" in answer.text
