"""When the site's copy may be trusted."""

import pytest

from proxy.upstreams.aipkit.planning import MemoryPolicy
from shared.conversations import Message
from shared.models import Bot
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite

PLAIN, STATEFUL = Bot(id=5, name="a"), Bot(id=6, name="b", keeps_state=True)


def says(*texts: str) -> list[Message]:
    return [Message(role="user", text=text) for text in texts]


@pytest.mark.parametrize(
    ("bot", "history", "trusted"),
    [
        (PLAIN, says("a", "b", "c", "d"), True),
        (PLAIN, says("a", "b", "c", "d", "e"), False),
        (PLAIN, says("a < b"), False),
        (PLAIN, says("a > b"), False),
        (PLAIN, says("a & b"), False),
        (PLAIN, says("\x1b[31mred\x1b[0m"), False),
        (PLAIN, says("a\fb"), False),
        (PLAIN, says("a\tb\r\nc\x7f\x80"), True),
        (PLAIN, [Message(role="user", text="a", images=("x",))], False),
        (STATEFUL, [Message(role="user", text="a", images=("x",))], True),
        (STATEFUL, says("a < b & c", "b", "c", "d", "e", "f"), True),
    ],
)
def test_the_sites_copy_is_trusted_only_while_it_is_faithful(bot: Bot, history: list[Message], trusted: bool) -> None:
    assert MemoryPolicy().trusts(bot, history) is trusted


def test_a_setting_forces_either_way() -> None:
    assert MemoryPolicy("continue").trusts(PLAIN, says("<b>" * 9))
    assert not MemoryPolicy("replay").trusts(STATEFUL, says("a"))


def test_a_copy_without_the_providers_state_is_one_like_any_other() -> None:
    policy = MemoryPolicy()

    assert not policy.trusts(STATEFUL, says("a < b"), has_state=False)
    assert policy.trusts(STATEFUL, says("a"), has_state=False)


@pytest.mark.parametrize("model", ["gpt-4o-mini-helper", "gpt-5-nano", "gemini-flash"])
@pytest.mark.parametrize("answer", ["0", "00", "0 ", "1", "0é"])
async def test_an_answer_that_the_plugin_takes_for_none_is_not_forgotten(
    proxy: RunningProxy, site: SimulatedSite, model: str, answer: str
) -> None:
    first = await proxy.chat(f"[[say:{answer}]]", model=model)
    params = {"role": "assistant", "content": first.text}

    await proxy.chat(f"[[say:{answer}]]", params, "and one more", model=model)

    known = "\n".join(message["content"] for message in site.model_calls[-1].context)
    assert first.text == answer
    assert f"----- assistant -----\n{answer}" in known or f"[[say:{answer}]]\n{answer}\n" in known
