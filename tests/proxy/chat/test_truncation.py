"""Stop sequences across any border, and token limits."""

from hypothesis import example, given
from hypothesis import strategies as st

from proxy.chat.tokens import estimate_tokens
from proxy.chat.truncation import Truncator

pieces = st.lists(st.text("abc ", max_size=4), max_size=12)
stops = st.lists(st.text("abc", min_size=1, max_size=4), max_size=3)


def cut(texts: list[str], cutter: Truncator) -> str:
    """The text that passes; nothing is fed after the end."""
    passed = ""
    for text in texts:
        passed += cutter.feed(text)
        if cutter.reason:
            return passed
    return passed + cutter.end()


@given(pieces, stops)
@example(["ab", "c"], ["b", "abc"])  # the one that is complete first counts
def test_an_answer_ends_before_the_first_stop_sequence_however_it_is_cut(texts: list[str], stops: list[str]) -> None:
    whole = "".join(texts)
    cutter = Truncator(stops)

    passed = cut(texts, cutter)

    assert whole.startswith(passed)
    assert not any(stop in passed for stop in stops)
    at_once = Truncator(stops)
    assert (cut([whole], at_once), at_once.stop) == (passed, cutter.stop)
    if cutter.reason:
        assert cutter.stop in stops
        assert whole[len(passed) :].startswith(cutter.stop)
    else:
        assert passed == whole


@given(
    st.lists(st.sampled_from(["hello ", "wor", "ld", "你好", "😀", "x", "\n\n", "123"]), max_size=40),
    st.integers(1, 30),
)
@example([*"1+2-3*4/5"], 3)
def test_no_more_tokens_come_through_than_allowed(texts: list[str], limit: int) -> None:
    whole = "".join(texts)
    cutter = Truncator(max_tokens=limit)

    passed = cut(texts, cutter)

    assert whole.startswith(passed)
    assert estimate_tokens(passed) <= limit
    if cutter.reason is None:
        assert passed == whole
    if cutter.reason:
        assert cutter.reason == "length"
        assert estimate_tokens(passed) >= limit - 3


def test_nothing_is_held_back_that_cannot_begin_a_stop_sequence() -> None:
    cutter = Truncator(["END"])

    assert cutter.feed("hello E") == "hello "
    assert cutter.feed("N") == ""
    assert cutter.feed("joy") == "ENjoy"
    assert cutter.end() == ""


def test_nothing_passes_after_the_end() -> None:
    cutter = Truncator(["END"])

    assert cutter.feed("so be it END and") == "so be it "
    assert cutter.feed(" more") == ""
    assert cutter.end() == ""


def test_a_limit_that_comes_before_a_stop_sequence_is_why_it_ended() -> None:
    whole, partial = Truncator(["END"], max_tokens=2), Truncator(["END"], max_tokens=2)

    assert whole.feed("so be it END") == partial.feed("so be it EN") == "so be"
    assert (whole.reason, whole.stop) == (partial.reason, partial.stop) == ("length", None)
    assert partial.end() == ""


def test_without_anything_to_cut_all_passes_at_once() -> None:
    cutter = Truncator()

    assert cutter.feed("text") == "text"


@given(st.lists(st.sampled_from(["we", "'", "l", "ll", "re", " ", "say ", "x", "."]), max_size=30), st.integers(1, 12))
@example(["we", "'", "l", "l"], 2)
def test_a_limit_cuts_at_the_same_place_however_the_text_comes(texts: list[str], limit: int) -> None:
    pieces, at_once = Truncator(max_tokens=limit), Truncator(max_tokens=limit)

    assert cut(texts, pieces) == cut(["".join(texts)], at_once)
    assert pieces.reason == at_once.reason
