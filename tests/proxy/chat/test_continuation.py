"""Which conversation a request continues."""

from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.chat.history import is_empty, plan_turn
from shared.conversations import Conversation, Message, Note, Role, ToolCall, ToolResult

USER_FIRST: tuple[Role, ...] = ("user", "assistant")
COPY = Note(name="u", value="only its upstream reads this")


def dialogue(*texts: str) -> tuple[Message, ...]:
    """Messages of user and assistant in turn; a text that begins with `!` is the system's."""
    messages, roles = [], cycle(USER_FIRST)
    for text in texts:
        role: Role = "system" if text.startswith("!") else next(roles)
        messages.append(Message(role=role, text=text))
    return tuple(messages)


def conversation_of(*texts: str, pending: str | None = None) -> Conversation:
    return Conversation(
        id="conv_1", created_at=0, updated_at=0, messages=dialogue(*texts), note=COPY, pending_turn=pending
    )


def test_a_first_turn_has_nothing_to_continue() -> None:
    for stored in (None, Conversation(id="conv_1", created_at=0, updated_at=0)):
        plan = plan_turn(stored, dialogue("hi"))
        assert (plan.messages, plan.new, plan.replaces, plan.note) == (dialogue("hi"), dialogue("hi"), False, None)


def test_a_repeated_history_leaves_only_the_new_part() -> None:
    plan = plan_turn(conversation_of("!be brief", "hi", "hello"), dialogue("!be brief", "hi", "hello", "more"))

    assert plan.new == dialogue("more")
    assert plan.messages == dialogue("!be brief", "hi", "hello", "more")
    assert plan.note == COPY


def test_answers_that_a_client_trimmed_still_count_as_repeated() -> None:
    plan = plan_turn(conversation_of("hi", "hello\n"), dialogue("hi", "hello", "more"))

    assert (plan.new, plan.replaces) == (dialogue("more"), False)


def test_what_is_not_stored_of_a_repeated_history_is_that_of_the_request() -> None:
    shown = Message(role="user", text="one\ntwo", images=("a",), id="msg_1")
    stored = replace(conversation_of("hi", "hello"), messages=(shown, *dialogue("hi", "hello")[1:]))
    sent = replace(shown, places=(3,), id=""), *dialogue("hi", "hello", "more")[1:]

    assert plan_turn(stored, sent).messages[0] == replace(shown, places=(3,))
    assert plan_turn(stored, (replace(sent[0], text=" one\ntwo"), *sent[1:])).messages[0] == shown, "elsewhere in it"


def test_the_new_message_alone_is_appended() -> None:
    plan = plan_turn(conversation_of("hi", "hello"), dialogue("more"))

    assert plan.messages == dialogue("hi", "hello", "more")
    assert plan.note == COPY


def test_the_same_words_once_more_are_a_new_message() -> None:
    plan = plan_turn(conversation_of("go on", "one"), dialogue("go on"))

    assert (plan.messages, plan.replaces) == ((*dialogue("go on", "one"), *dialogue("go on")), False)


def test_a_resent_history_without_a_new_message_is_answered_again() -> None:
    plan = plan_turn(conversation_of("count", "one, "), dialogue("count", "one, "))

    assert (plan.messages, plan.new, plan.note) == (dialogue("count", "one, "), dialogue("count", "one, "), None)


def test_other_pictures_and_a_result_that_is_a_failure_now_are_other_messages() -> None:
    stored = conversation_of("look", "well")
    seen = replace(stored, messages=(replace(stored.messages[0], images=("x",)), stored.messages[1]))
    ran = replace(stored, messages=(replace(stored.messages[0], result=ToolResult(call_id="a")), stored.messages[1]))
    first, last = dialogue("look", "well"), dialogue("more")

    assert plan_turn(seen, (*seen.messages, *last)).new == last
    assert plan_turn(seen, (*first, *last)).replaces
    assert plan_turn(ran, (replace(first[0], result=ToolResult(call_id="b")), first[1], *last)).new == last
    assert plan_turn(ran, (replace(first[0], result=ToolResult(call_id="a", failed=True)), first[1], *last)).replaces


def test_the_same_system_text_may_come_with_the_new_message() -> None:
    same = plan_turn(conversation_of("!be brief", "hi", "hello"), dialogue("!be brief", "more"))
    other = plan_turn(conversation_of("!be brief", "hi", "hello"), dialogue("!be long", "more"))

    assert (same.new, same.replaces) == (dialogue("more"), False)
    assert (other.new, other.replaces, other.note) == (dialogue("more"), True, None)
    assert other.messages == dialogue("!be long", "hi", "hello", "more")
    both = plan_turn(conversation_of("!be brief", "hi", "hello"), dialogue("!be brief", "!be kind", "more"))
    assert (both.messages, both.note) == (dialogue("!be brief", "!be kind", "hi", "hello", "more"), None)


def test_a_system_text_that_comes_later_takes_nothing_away() -> None:
    plan = plan_turn(conversation_of("hi", "hello"), dialogue("!be brief", "more"))

    assert (plan.messages, plan.new) == (dialogue("!be brief", "hi", "hello", "more"), dialogue("more"))


@pytest.mark.parametrize("first", [(), ("!be brief",)])
def test_a_system_text_after_the_new_message_comes_after_it(first: tuple[str, ...]) -> None:
    stored, sent = conversation_of(*first, "hi", "hello"), dialogue(*first, "more", "!in verse")
    plan = plan_turn(stored, sent)

    assert (plan.messages, plan.new) == (
        dialogue(*first, "hi", "hello", "more", "!in verse"),
        dialogue("more", "!in verse"),
    )
    assert plan.note is None
    assert plan_turn(stored, dialogue(*first, "hi", "!in verse")).messages == dialogue(
        *first, "hi", "!in verse"
    )  # told anew


def test_a_system_text_alone_has_the_last_question_answered_again() -> None:
    for sent in ("!be long", "!be brief"):
        plan = plan_turn(conversation_of("!be brief", "hi", "hello", "more", "well"), dialogue(sent))

        assert (plan.messages, plan.new) == ((*dialogue("hi", "hello", "more"), *dialogue(sent)), dialogue(sent))
        assert plan.note is None


def test_the_beginning_of_an_answer_takes_the_place_of_the_last_one() -> None:
    partial = Message(role="assistant", text="Well")
    held = dialogue("!be brief", "hi", "hello")

    alone = plan_turn(conversation_of("!be brief", "hi", "hello"), [partial])
    again = plan_turn(conversation_of("!be brief", "hi", "hello"), [held[-1]])
    under = plan_turn(conversation_of("!be brief", "hi", "hello"), [*dialogue("!be long"), partial])

    assert (alone.messages, alone.new, alone.note) == ((*held[:-1], partial), (partial,), None)
    assert (again.messages, again.note) == (held, None)
    assert under.messages == (*dialogue("hi", "!be long"), partial)


def test_turns_without_a_question_do_not_add_up() -> None:
    stored = conversation_of("!be brief", "hi", "hello")
    for sent in (dialogue("!be long"), [Message(role="assistant", text="Well")]):
        first = plan_turn(stored, sent)
        answered = replace(stored, messages=(*first.messages, Message(role="assistant", text="x")))

        assert plan_turn(answered, sent).messages == first.messages
    partial = [Message(role="assistant", text="Well")]
    assert plan_turn(conversation_of("!be brief"), partial).messages == (*dialogue("!be brief"), *partial)


def test_the_last_answer_may_come_again_before_what_follows_it() -> None:
    call = Message(role="assistant", text="", calls=(ToolCall(id="call_1", name="clock", arguments="{}"),))
    result = Message(role="user", text="noon", result=ToolResult(call_id="call_1", name="clock"))
    stored = replace(conversation_of("!be brief", "hi"), messages=(*dialogue("!be brief", "hi"), call))

    plan = plan_turn(stored, [call, result])
    under = plan_turn(stored, [*dialogue("!be long"), call, result])
    plain = plan_turn(conversation_of("hi", "hello"), [Message(role="assistant", text="hello"), *dialogue("hi")])
    other = plan_turn(conversation_of("hi", "hello"), [Message(role="assistant", text="no"), *dialogue("hi")])

    assert (plan.messages, plan.new, plan.note) == ((*stored.messages, result), (result,), COPY)
    assert (under.messages, under.new) == ((*dialogue("!be long", "hi"), call, result), (result,))
    assert (plain.messages, plain.new) == (dialogue("hi", "hello", "hi"), dialogue("hi"))
    assert (other.messages, other.replaces) == ((Message(role="assistant", text="no"), *dialogue("hi")), True)


def test_several_new_messages_are_appended() -> None:
    context, question = (Message(role="user", text=text) for text in ("the sky is blue", "what colour is it?"))

    plan = plan_turn(conversation_of("hi", "hello"), (context, question))

    assert (plan.messages, plan.new) == ((*dialogue("hi", "hello"), context, question), (context, question))
    assert plan.note == COPY


def test_a_resent_history_from_the_start_wins() -> None:
    for sent in (dialogue("!be long", "hi"), (*dialogue("hi"), *dialogue("more"))):
        plan = plan_turn(conversation_of("!be brief", "hi", "hello"), sent)

        assert (plan.messages, plan.replaces) == (sent, True)


def test_an_edited_history_wins_and_starts_over() -> None:
    edited = dialogue("hi", "HELLO", "more")

    plan = plan_turn(conversation_of("hi", "hello"), edited)

    assert (plan.messages, plan.replaces, plan.note) == (edited, True, None)


def test_an_answer_the_site_never_gave_starts_over() -> None:
    plan = plan_turn(conversation_of("hi", "hello"), dialogue("hi", "hello", "more", "invented", "last"))

    assert not plan.replaces
    assert plan.note is None


def test_a_turn_that_was_never_committed_spoils_the_sites_copy() -> None:
    plan = plan_turn(conversation_of("hi", "hello", pending="turn"), dialogue("more"))

    assert plan.messages == dialogue("hi", "hello", "more")
    assert plan.note is None


texts = st.lists(st.sampled_from(["a", "b", "!s", "c"]), min_size=1, max_size=6)


@given(texts, texts)
def test_what_is_continued_is_always_a_prefix_of_what_is_meant(held: list[str], sent: list[str]) -> None:
    plan = plan_turn(conversation_of(*held), dialogue(*sent))

    assert plan.messages[len(plan.messages) - len(plan.new) :] == plan.new
    if plan.note:
        assert plan.messages == (*dialogue(*held), *plan.new)
        assert all(message.role == "user" for message in plan.new)
    else:
        assert plan.messages[-1] == dialogue(*sent)[-1]


@pytest.mark.parametrize(
    ("new", "empty"),
    [
        ((), True),
        ((Message(role="user", text=" \n\0\t"),), True),
        ((Message(role="user", text="\u3000"),), False),  # no site takes such a blank away
        ((Message(role="user", text="", images=("0a",)),), False),
        ((Message(role="user", text="", result=ToolResult()),), False),  # the tool gave nothing, and that is told
        ((Message(role="assistant", text=""),), False),
        (dialogue("", ""), False),
    ],
)
def test_a_turn_is_empty_where_the_model_would_see_nothing_of_it(new: tuple[Message, ...], empty: bool) -> None:
    assert is_empty(new) is empty
