"""What a request continues."""

from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.chat.history import is_empty, plan_turn
from shared.conversations import Conversation, Message, Note, Role, ToolCall, ToolResult

USER_FIRST: tuple[Role, ...] = ("user", "assistant")
COPY = Note(name="u", value="only its upstream reads this")


def say(*texts: str) -> tuple[Message, ...]:
    """Messages of user and assistant in turn; a text that begins with `!` is the system's."""
    messages, roles = [], cycle(USER_FIRST)
    for text in texts:
        role: Role = "system" if text.startswith("!") else next(roles)
        messages.append(Message(role=role, text=text))
    return tuple(messages)


def holding(*texts: str, pending: str | None = None) -> Conversation:
    return Conversation(id="conv_1", created_at=0, updated_at=0, messages=say(*texts), note=COPY, pending_turn=pending)


def test_a_first_turn_has_nothing_to_continue() -> None:
    for stored in (None, Conversation(id="conv_1", created_at=0, updated_at=0)):
        plan = plan_turn(stored, say("hi"))
        assert (plan.messages, plan.new, plan.replaces, plan.note) == (say("hi"), say("hi"), False, None)


def test_a_repeated_history_leaves_only_the_new_part() -> None:
    plan = plan_turn(holding("!be brief", "hi", "hello"), say("!be brief", "hi", "hello", "more"))

    assert plan.new == say("more")
    assert plan.messages == say("!be brief", "hi", "hello", "more")
    assert plan.note == COPY


def test_answers_that_a_client_trimmed_still_count_as_repeated() -> None:
    plan = plan_turn(holding("hi", "hello\n"), say("hi", "hello", "more"))

    assert (plan.new, plan.replaces) == (say("more"), False)


def test_the_new_message_alone_is_appended() -> None:
    plan = plan_turn(holding("hi", "hello"), say("more"))

    assert plan.messages == say("hi", "hello", "more")
    assert plan.note == COPY


def test_the_same_words_once_more_are_a_new_message() -> None:
    plan = plan_turn(holding("go on", "one"), say("go on"))

    assert (plan.messages, plan.replaces) == ((*say("go on", "one"), *say("go on")), False)


def test_all_that_is_stored_and_nothing_new_is_what_the_client_means() -> None:
    plan = plan_turn(holding("count", "one, "), say("count", "one, "))

    assert (plan.messages, plan.new, plan.note) == (say("count", "one, "), say("count", "one, "), None)


def test_other_pictures_and_a_result_that_is_a_failure_now_are_other_messages() -> None:
    stored = holding("look", "well")
    seen = replace(stored, messages=(replace(stored.messages[0], images=("x",)), stored.messages[1]))
    ran = replace(stored, messages=(replace(stored.messages[0], result=ToolResult(call_id="a")), stored.messages[1]))
    first, last = say("look", "well"), say("more")

    assert plan_turn(seen, (*seen.messages, *last)).new == last
    assert plan_turn(seen, (*first, *last)).replaces
    assert plan_turn(ran, (replace(first[0], result=ToolResult(call_id="b")), first[1], *last)).new == last
    assert plan_turn(ran, (replace(first[0], result=ToolResult(call_id="a", failed=True)), first[1], *last)).replaces


def test_the_same_system_text_may_come_with_the_new_message() -> None:
    same = plan_turn(holding("!be brief", "hi", "hello"), say("!be brief", "more"))
    other = plan_turn(holding("!be brief", "hi", "hello"), say("!be long", "more"))

    assert (same.new, same.replaces) == (say("more"), False)
    assert (other.new, other.replaces, other.note) == (say("more"), True, None)
    assert other.messages == say("!be long", "hi", "hello", "more")
    both = plan_turn(holding("!be brief", "hi", "hello"), say("!be brief", "!be kind", "more"))
    assert (both.messages, both.note) == (say("!be brief", "!be kind", "hi", "hello", "more"), None)


def test_a_system_text_that_comes_later_takes_nothing_away() -> None:
    plan = plan_turn(holding("hi", "hello"), say("!be brief", "more"))

    assert (plan.messages, plan.new) == (say("!be brief", "hi", "hello", "more"), say("more"))


@pytest.mark.parametrize("first", [(), ("!be brief",)])
def test_a_system_text_after_the_new_message_comes_after_it(first: tuple[str, ...]) -> None:
    stored, sent = holding(*first, "hi", "hello"), say(*first, "more", "!in verse")
    plan = plan_turn(stored, sent)

    assert (plan.messages, plan.new) == (say(*first, "hi", "hello", "more", "!in verse"), say("more", "!in verse"))
    assert plan.note is None
    assert plan_turn(stored, say(*first, "hi", "!in verse")).messages == say(*first, "hi", "!in verse")  # told anew


def test_a_system_text_alone_has_the_last_question_answered_anew() -> None:
    for sent in ("!be long", "!be brief"):
        plan = plan_turn(holding("!be brief", "hi", "hello", "more", "well"), say(sent))

        assert (plan.messages, plan.new) == ((*say("hi", "hello", "more"), *say(sent)), say(sent))
        assert plan.note is None


def test_the_beginning_of_an_answer_takes_the_place_of_the_last_one() -> None:
    begun = Message(role="assistant", text="Well")
    held = say("!be brief", "hi", "hello")

    alone = plan_turn(holding("!be brief", "hi", "hello"), [begun])
    again = plan_turn(holding("!be brief", "hi", "hello"), [held[-1]])
    under = plan_turn(holding("!be brief", "hi", "hello"), [*say("!be long"), begun])

    assert (alone.messages, alone.new, alone.note) == ((*held[:-1], begun), (begun,), None)
    assert (again.messages, again.note) == (held, None)
    assert under.messages == (*say("hi", "!be long"), begun)


def test_turns_without_a_question_do_not_add_up() -> None:
    stored = holding("!be brief", "hi", "hello")
    for sent in (say("!be long"), [Message(role="assistant", text="Well")]):
        first = plan_turn(stored, sent)
        answered = replace(stored, messages=(*first.messages, Message(role="assistant", text="x")))

        assert plan_turn(answered, sent).messages == first.messages
    begun = [Message(role="assistant", text="Well")]
    assert plan_turn(holding("!be brief"), begun).messages == (*say("!be brief"), *begun)


def test_the_last_answer_may_come_again_before_what_follows_it() -> None:
    call = Message(role="assistant", text="", calls=(ToolCall(id="call_1", name="clock", arguments="{}"),))
    result = Message(role="user", text="noon", result=ToolResult(call_id="call_1", name="clock"))
    stored = replace(holding("!be brief", "hi"), messages=(*say("!be brief", "hi"), call))

    plan = plan_turn(stored, [call, result])
    under = plan_turn(stored, [*say("!be long"), call, result])
    plain = plan_turn(holding("hi", "hello"), [Message(role="assistant", text="hello"), *say("hi")])
    other = plan_turn(holding("hi", "hello"), [Message(role="assistant", text="no"), *say("hi")])

    assert (plan.messages, plan.new, plan.note) == ((*stored.messages, result), (result,), COPY)
    assert (under.messages, under.new) == ((*say("!be long", "hi"), call, result), (result,))
    assert (plain.messages, plain.new) == (say("hi", "hello", "hi"), say("hi"))
    assert (other.messages, other.replaces) == ((Message(role="assistant", text="no"), *say("hi")), True)


def test_several_new_messages_are_appended() -> None:
    context, question = (Message(role="user", text=text) for text in ("the sky is blue", "what colour is it?"))

    plan = plan_turn(holding("hi", "hello"), (context, question))

    assert (plan.messages, plan.new) == ((*say("hi", "hello"), context, question), (context, question))
    assert plan.note == COPY


def test_a_conversation_that_is_told_anew_from_its_beginning_wins() -> None:
    for sent in (say("!be long", "hi"), (*say("hi"), *say("more"))):
        plan = plan_turn(holding("!be brief", "hi", "hello"), sent)

        assert (plan.messages, plan.replaces) == (sent, True)


def test_an_edited_history_wins_and_starts_anew() -> None:
    edited = say("hi", "HELLO", "more")

    plan = plan_turn(holding("hi", "hello"), edited)

    assert (plan.messages, plan.replaces, plan.note) == (edited, True, None)


def test_an_answer_the_site_never_gave_starts_anew() -> None:
    plan = plan_turn(holding("hi", "hello"), say("hi", "hello", "more", "invented", "last"))

    assert not plan.replaces
    assert plan.note is None


def test_a_turn_that_was_never_committed_spoils_the_sites_copy() -> None:
    plan = plan_turn(holding("hi", "hello", pending="turn"), say("more"))

    assert plan.messages == say("hi", "hello", "more")
    assert plan.note is None


texts = st.lists(st.sampled_from(["a", "b", "!s", "c"]), min_size=1, max_size=6)


@given(texts, texts)
def test_what_is_continued_is_always_a_prefix_of_what_is_meant(held: list[str], sent: list[str]) -> None:
    plan = plan_turn(holding(*held), say(*sent))

    assert plan.messages[len(plan.messages) - len(plan.new) :] == plan.new
    if plan.note:
        assert plan.messages == (*say(*held), *plan.new)
        assert all(message.role == "user" for message in plan.new)
    else:
        assert plan.messages[-1] == say(*sent)[-1]


@pytest.mark.parametrize(
    ("new", "empty"),
    [
        ((), True),
        ((Message(role="user", text=" \n\0\t"),), True),
        ((Message(role="user", text="\u3000"),), False),  # no site takes such a blank away
        ((Message(role="user", text="", images=("0a",)),), False),
        ((Message(role="user", text="", result=ToolResult()),), False),  # the tool gave nothing, and that is told
        ((Message(role="assistant", text=""),), False),
        (say("", ""), False),
    ],
)
def test_a_turn_is_empty_where_the_model_would_see_nothing_of_it(new: tuple[Message, ...], empty: bool) -> None:
    assert is_empty(new) is empty
