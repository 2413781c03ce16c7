"""Digests of histories, and when the site's copy may be trusted."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.chat.history import history_digest
from shared.conversations import Message, ToolCall

messages = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant"]),
        text=st.text("ab <\n", max_size=4),
        images=st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple),
    ),
    max_size=4,
)


def user_messages(*texts: str) -> list[Message]:
    return [Message(role="user", text=text) for text in texts]


@given(messages, messages)
def test_two_histories_share_a_digest_only_if_they_are_the_same(one: list[Message], other: list[Message]) -> None:
    def trimmed(history: list[Message]) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(message.role, message.text.strip(), message.images) for message in history]

    same = history_digest(("s", "5", "g"), one) == history_digest(("s", "5", "g"), other)

    assert same == (trimmed(one) == trimmed(other))


def test_no_text_passes_for_two_messages_nor_a_place_for_part_of_one() -> None:
    one, two = user_messages("a0userb"), user_messages("a", "b")

    assert history_digest(("s", "5"), one) != history_digest(("s", "5"), two)
    assert history_digest(("s5", ""), one) != history_digest(("s", "5"), one)


def test_site_bot_and_guest_are_part_of_a_history() -> None:
    digests = {
        history_digest(scope, user_messages("hi"))
        for scope in (("s", "5", "g"), ("t", "5", "g"), ("s", "6", "g"), ("s", "5", "h"))
    }

    assert len(digests) == 4


def test_free_text_is_not_spelled_in_another_way_and_tools_of_one_name_are_distinguished() -> None:
    def called(arguments: str, **about: Any) -> str:
        call = ToolCall(id="call_1", name="run", arguments=arguments, **about)
        return history_digest(("s", "5", "g"), [Message(role="assistant", text="", calls=(call,))])

    assert called("[1]", kind="custom") != called("[ 1]", kind="custom")
    assert called("{}", namespace="a") != called("{}", namespace="b")


def test_calls_are_part_of_a_history_but_not_how_their_json_is_spelled() -> None:
    def called(arguments: str) -> str:
        call = ToolCall(id="call_1", name="find", arguments=arguments)
        return history_digest(("s", "5", "g"), [Message(role="assistant", text="", calls=(call,))])

    assert called('{"a":1,"b":2}') == called('{ "b": 2, "a": 1 }')
    assert called("") == called("{}")
    assert len({called(arguments) for arguments in ("{}", '{"a":1}', '{"a":2}', '{"a":1', '{"a":2')}) == 5
