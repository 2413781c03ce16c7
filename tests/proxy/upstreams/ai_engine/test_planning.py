"""Which of a client's messages a turn carries, and in which form."""

from dataclasses import replace

import pytest

from proxy.chat.ask import Ask, Image
from proxy.chat.upstream import Refusal, RefusalReason
from proxy.upstreams.ai_engine.planning import MAX_HISTORY, PlannedTurn, plan_turn
from shared.conversations import Message, Role, ToolResult
from shared.models import Bot

BOT = Bot(id=1, name="B", key="b", max_message=100_000, max_images=1)
MARK = "----- system -----\n"
SYSTEM = "Follow the system text.\n\n----- system -----"


def message(role: Role, text: str, *images: str) -> Message:
    return Message(role=role, text=text, images=images)


def turns(count: int) -> list[Message]:
    return [message("assistant" if number % 2 else "user", f"m{number}") for number in range(count)]


def planned(*messages: Message, bot: Bot = BOT, most: int = 1_000_000, images: tuple[str, ...] = ()) -> PlannedTurn:
    pictures = {name: Image("image/png", name) for name in images}
    return plan_turn(Ask("m", messages, pictures), bot, max_transcript=most)


def test_history_goes_verbatim_and_the_last_text_is_new() -> None:
    markup = "<b>x</b> &lt; \n\n  pre\0 {USER_LOGIN} [gallery]"
    found = planned(message("user", markup), message("assistant", "```\nif a < b\n```"), message("user", "now"))

    assert found.history == (("user", markup), ("assistant", "```\nif a < b\n```"))
    assert (found.text, found.dropped_messages) == ("now", 0)


def test_a_system_text_is_the_first_text_of_the_user_since_the_page_has_no_role_for_it() -> None:
    found = planned(message("system", "be brief"), message("user", "hi"))

    ((role, text),) = found.history
    assert role == "user"
    assert text.endswith(f"{MARK}be brief")
    assert planned(message("user", "hi"), message("system", "be brief")).text.endswith("be brief")


@pytest.mark.parametrize(("count", "kept"), [(15, 0), (17, 0), (19, 2), (31, 14)])
def test_what_the_site_would_leave_out_unseen_is_left_out_here_in_whole_turns(count: int, kept: int) -> None:
    found = planned(*turns(count))

    assert len(found.history) <= MAX_HISTORY
    assert found.dropped_messages == kept
    assert found.history[0] == ("user", f"m{kept}")
    assert found.history[-1] == ("assistant", f"m{count - 2}")


@pytest.mark.parametrize(
    ("rounds", "results", "most", "kept"),
    [
        (2, 2, 1_000_000, ["hi", "hello", "task", "calls 0", "r 0", "r 0", "calls 1", "r 1"]),
        (
            9,
            2,
            1_000_000,
            ["task", *(f"{word} {n}" for n in (4, 5, 6, 7) for word in ("calls", "r", "r")), "calls 8", "r 8"],
        ),
        (3, 2, 10, ["task", "calls 2", "r 2"]),
        (2, 20, 1_000_000, ["task", *["r 1"] * 15]),  # what the site's window lets through
    ],
)
def test_of_an_agents_history_whole_rounds_go_and_its_task_stays(
    rounds: int, results: int, most: int, kept: list[str]
) -> None:
    messages = [message("user", "hi"), message("assistant", "hello"), message("user", "task")]
    for number in range(rounds):
        result = replace(message("user", f"r {number}"), result=ToolResult())
        messages += [message("assistant", f"calls {number}"), *[result] * results]

    assert [text for _, text in planned(*messages, most=most).history] == kept


def test_the_system_text_stays_whatever_is_left_out() -> None:
    found = planned(message("system", "S"), *turns(31))

    assert found.history[0][1].endswith(f"{MARK}S")
    assert found.history[1] == ("user", "m16")
    assert (len(found.history), found.dropped_messages) == (15, 16)


def test_many_system_texts_are_told_as_one_where_the_window_would_leave_some_out_unseen() -> None:
    rules = [message("system", f"rule {number}") for number in range(20)]
    found = planned(*rules, *turns(5))

    assert found.history[0] == ("user", f"{SYSTEM}{chr(10)}" + "\n\n".join(rule.text for rule in rules))
    assert [text for _, text in found.history[1:]] == ["m0", "m1", "m2", "m3"]
    assert found.dropped_messages == 0
    assert len(planned(*rules[:2], *turns(MAX_HISTORY - 1)).history) == MAX_HISTORY  # there is room for each


@pytest.mark.parametrize(("more", "told_apart"), [(0, False), (-1, True)])
@pytest.mark.parametrize(("letter", "counts_bytes", "size"), [("x", False, 1), ("界", False, 1), ("界", True, 3)])
def test_system_texts_become_one_that_the_page_takes_or_stay_apart(
    letter: str, counts_bytes: bool, size: int, more: int, told_apart: bool
) -> None:
    limit = len(SYSTEM) + 1 + 2 * 40 * size + 2 + more
    rules = (message("system", letter * 40), message("system", letter * 40))

    ask = Ask("m", (*rules, *turns(17)))
    found = plan_turn(ask, replace(BOT, max_message=limit), max_transcript=10_000, counts_bytes=counts_bytes)

    assert (found.history[1][1].startswith(SYSTEM), found.history[0][1].startswith(SYSTEM)) == (told_apart, True)


def test_a_transcript_that_is_too_long_loses_its_oldest_turns() -> None:
    found = planned(message("user", "x" * 50), message("assistant", "y"), message("user", "z"), most=40)

    assert (found.history, found.dropped_messages) == ((), 2)


@pytest.mark.parametrize(("most", "dropped"), [(34, 0), (33, 2), (23, 2), (22, 4)])
def test_no_more_turns_are_left_out_than_must_be(most: int, dropped: int) -> None:
    texts = [message("user", "x"), message("assistant", "y" * 10), message("user", "x"), message("assistant", "y" * 10)]

    assert planned(*texts, message("user", "z" * 12), most=most).dropped_messages == dropped


def test_an_answer_at_the_end_is_continued() -> None:
    found = planned(message("user", "count"), message("assistant", "one, "))

    assert found.history == (("user", "count"), ("assistant", "one, "))
    assert "comes after it" in found.text


@pytest.mark.parametrize(
    "messages",
    [
        [message("user", "x" * 21)],
        [message("user", "x" * 21), message("assistant", "a"), message("user", "now")],
        [message("system", "short enough by itself"), message("user", "now")],
    ],
)
def test_no_text_may_be_longer_than_the_page_lets_its_visitor_type(messages: list[Message]) -> None:
    with pytest.raises(Refusal) as exc_info:
        planned(*messages, bot=replace(BOT, max_message=20))

    assert (exc_info.value.error.status, exc_info.value.error.code) == (400, "message_too_long")
    assert "takes 20 in one" in exc_info.value.error.message
    assert exc_info.value.reason is RefusalReason.MODEL
    assert exc_info.value.may_move_on
    assert not exc_info.value.delivered


def test_length_is_counted_in_characters_without_the_blanks_around_and_not_of_answers() -> None:
    short = replace(BOT, max_message=20)
    found = planned(
        message("user", "😀" * 20), message("assistant", "a" * 500), message("user", f"\n {'界' * 20} \n"), bot=short
    )

    assert len(found.history) == 2
    assert planned(message("user", "x" * 9999), bot=replace(BOT, max_message=0)).text


def test_before_characters_were_counted_bytes_were() -> None:
    short = replace(BOT, max_message=20)
    ask = Ask("m", (message("user", "界" * 7),))

    assert plan_turn(ask, short, max_transcript=100).text
    with pytest.raises(Refusal, match="21 bytes"):
        plan_turn(ask, short, max_transcript=100, counts_bytes=True)


def test_a_lone_surrogate_would_lose_the_whole_turn_and_is_replaced() -> None:
    found = planned(message("user", "a\ud800b"), message("assistant", "x"), message("user", "c\udc00"))

    assert (found.history[0][1], found.text) == ("a\ufffdb", "c\ufffd")


def test_pictures_go_where_the_page_takes_them_the_newest_first() -> None:
    seeing = replace(BOT, images=True, max_images=2)
    messages = [message("user", "one", "a", "b"), message("assistant", "x"), message("user", "two", "c")]
    found = planned(*messages, bot=seeing, images=("a", "b", "c"))

    assert [image.base64 for image in found.images] == ["b", "c"]
    assert found.dropped_images == 1
    assert planned(message("user", " ", "a"), bot=seeing, images=("a",)).text == "Please look at the attached image."


def test_earlier_pictures_are_left_out_where_the_page_takes_none_and_new_ones_refused() -> None:
    earlier = [message("user", "one", "a"), message("assistant", "x"), message("user", "two")]
    assert planned(*earlier, images=("a",)).dropped_images == 1

    with pytest.raises(Refusal) as exc_info:
        planned(message("user", "look", "a"), images=("a",))
    assert exc_info.value.error.code == "images_not_supported"


def test_blanks_alone_are_no_message() -> None:
    with pytest.raises(Refusal) as exc_info:
        planned(message("user", "hi"), message("assistant", "x"), message("user", " \n\0"))

    assert exc_info.value.error.code == "empty_message"
