"""Which history is which, and when the site's copy may be trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.chat.history import history_digest
from proxy.upstreams.aipkit.planning import MemoryPolicy
from shared.conversations import Message
from shared.models import Bot

PLAIN, STATEFUL = Bot(id=5, name="a"), Bot(id=6, name="b", keeps_state=True)

messages = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant"]),
        text=st.text("ab <\n", max_size=4),
        images=st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple),
    ),
    max_size=4,
)


def said(*texts: str) -> list[Message]:
    return [Message(role="user", text=text) for text in texts]


@given(messages, messages)
def test_two_histories_share_a_digest_only_if_they_are_the_same(one: list[Message], other: list[Message]) -> None:
    def trimmed(history: list[Message]) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(message.role, message.text.strip(), message.images) for message in history]

    same = history_digest(("s", "5", "g"), one) == history_digest(("s", "5", "g"), other)

    assert same == (trimmed(one) == trimmed(other))


def test_site_bot_and_guest_are_part_of_a_history() -> None:
    digests = {
        history_digest(place, said("hi"))
        for place in (("s", "5", "g"), ("t", "5", "g"), ("s", "6", "g"), ("s", "5", "h"))
    }

    assert len(digests) == 4


@pytest.mark.parametrize(
    ("bot", "history", "trusted"),
    [
        (PLAIN, said("a", "b", "c", "d"), True),
        (PLAIN, said("a", "b", "c", "d", "e"), False),
        (PLAIN, said("a < b"), False),
        (PLAIN, said("a > b"), False),
        (PLAIN, said("a & b"), False),
        (PLAIN, [Message(role="user", text="a", images=("x",))], False),
        (STATEFUL, [Message(role="user", text="a", images=("x",))], True),
        (STATEFUL, said("a < b & c", "b", "c", "d", "e", "f"), True),
    ],
)
def test_the_sites_copy_is_trusted_only_while_it_is_faithful(bot: Bot, history: list[Message], trusted: bool) -> None:
    assert MemoryPolicy().trusts(bot, history) is trusted


def test_a_setting_forces_either_way() -> None:
    assert MemoryPolicy("continue").trusts(PLAIN, said("<b>" * 9))
    assert not MemoryPolicy("replay").trusts(STATEFUL, said("a"))


def test_a_copy_without_the_providers_state_is_one_like_any_other() -> None:
    policy = MemoryPolicy()

    assert not policy.trusts(STATEFUL, said("a < b"), has_state=False)
    assert policy.trusts(STATEFUL, said("a"), has_state=False)
