"""Repair of double-encoded replies: what is repaired, what is left alone, and that cuts never matter."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxy.upstreams.aipkit.mojibake import MAX_HELD_CHARS, Repair
from tests.proxy.upstreams.aipkit.mojibake_texts import (
    CHINESE,
    DOUBLE_ENCODED,
    FRENCH,
    GERMAN,
    MEANT,
    RUSSIAN,
    SPARSE,
    twice,
)

ENCODINGS = ["latin-1", "cp1252"]
PRIORS = [None, True, False]


def repair(text: str, prior: bool | None = None) -> tuple[str, bool | None]:
    return repair_pieces([text], prior)


def repair_pieces(pieces: list[str], prior: bool | None = None) -> tuple[str, bool | None]:
    filter_ = Repair(prior)
    text = "".join(filter_.feed(piece) for piece in pieces)
    return text + filter_.end(), filter_.verdict


def cut(draw: st.DrawFn, text: str) -> list[str]:
    positions = sorted(draw(st.lists(st.integers(0, len(text)), max_size=15)))
    return [text[start:end] for start, end in pairwise([0, *positions, len(text)])]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", DOUBLE_ENCODED.values(), ids=DOUBLE_ENCODED)
def test_double_encoded_replies_are_repaired(text: str, encoding: str) -> None:
    assert repair(twice(text, encoding)) == (text, True)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", SPARSE.values(), ids=SPARSE)
def test_a_site_known_for_it_is_repaired_on_little_evidence(text: str, encoding: str) -> None:
    assert repair(twice(text, encoding), prior=True) == (text, True)


@pytest.mark.parametrize("text", ["é", "Straße", "Señor", "naïve"])
def test_little_evidence_is_not_enough_where_nothing_is_known(text: str) -> None:
    assert repair(twice(text, "cp1252")) == (twice(text, "cp1252"), None)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_site_known_as_clean_needs_more_evidence_but_is_not_trusted_for_ever(encoding: str) -> None:
    assert repair(twice("你好", encoding), prior=False) == ("你好", True)
    assert repair(twice(CHINESE, encoding), prior=False) == (CHINESE, True)
    assert repair(twice("😀", encoding), prior=False)[1] is (True if encoding == "latin-1" else None)
    assert repair(twice(FRENCH, "cp1252"), prior=False) == (twice(FRENCH, "cp1252"), None)


def test_a_no_break_space_that_became_a_plain_one_is_repaired_too() -> None:
    assert repair("ä½ å¥½") == ("你好", True)
    assert repair("ä½ å¥½ï¼Œä¸–ç•Œ") == ("你好，世界", True)
    assert repair("æ ‡é¢˜") == ("标题", True)
    assert repair(twice(CHINESE, "latin-1").replace("\xa0", " ")) == (CHINESE, True)


def test_damaged_characters_may_arrive_in_chunks() -> None:
    for text in ("ä½ å¥½", "æ ‡é¢˜", twice(CHINESE, "cp1252") + "ä½ ðŸ˜€æ ‡é¢˜"):
        assert repair_pieces(list(text)) == repair(text)
        assert repair(text)[0].endswith(("你好", "标题"))


def test_a_plain_space_is_taken_for_nothing_else_where_no_sequence_follows() -> None:
    assert repair("å¥½ä½ ") == ("å¥½ä½ ", False)
    assert repair(twice(CHINESE, "cp1252") + "né… à") == (CHINESE + "né… à", True)


@pytest.mark.parametrize("prior", [None, False])
@pytest.mark.parametrize("text", MEANT.values(), ids=MEANT)
def test_text_that_is_meant_so_is_left_alone(text: str, prior: bool | None) -> None:
    shown, verdict = repair(text, prior)

    assert shown == text
    assert verdict is not True


@pytest.mark.parametrize("text", [FRENCH, GERMAN, RUSSIAN, CHINESE, MEANT["English typography"]])
def test_a_clean_reply_of_a_site_that_was_repaired_before_is_left_alone(text: str) -> None:
    assert repair(text, prior=True) == (text, False)


def test_ascii_passes_at_once_and_shows_nothing() -> None:
    filter_ = Repair()

    assert [filter_.feed(piece) for piece in ("Hello", ",", " world")] == ["Hello", ",", " world"]
    assert filter_.end() == ""
    assert filter_.verdict is None


def test_nothing_is_held_that_needs_no_decision() -> None:
    filter_ = Repair()

    assert filter_.feed("The caf") == "The caf"
    assert filter_.feed("e or caf\xe9") == "e or caf"
    assert filter_.feed(" is open") == "\xe9 is open"
    assert filter_.verdict is False
    assert filter_.feed("Ã©") == "Ã©"


def test_a_repaired_reply_flows_again_once_decided() -> None:
    filter_ = Repair()
    for piece in twice(CHINESE, "cp1252"):
        filter_.feed(piece)

    assert filter_.verdict is True
    assert filter_.feed("ä½") == ""
    assert filter_.feed("\xa0å¥½!") == "你好!"
    assert filter_.feed(" raw é, € and 你™") == " raw é, € and 你™"
    assert filter_.feed("€ ä½\xa0!") == "€ 你!"
    assert filter_.end() == ""


def test_a_truncated_reply_is_passed_on_unchanged() -> None:
    assert repair(twice(CHINESE, "latin-1") + "\xe4\xbd") == (CHINESE + "\xe4\xbd", True)
    assert repair("Ã") == ("Ã", False)


@pytest.mark.parametrize(
    "invalid", ["à\x80\x80", "í\xa0\x80", "ð\x80\x80\x80", "ô\x90\x80\x80", "À\xaf", "õ\x80\x80\x80"]
)
def test_only_valid_utf_8_is_evidence_or_repaired(invalid: str) -> None:
    assert repair(invalid, prior=True) == (invalid, False)
    assert repair(twice(CHINESE, "latin-1") + invalid) == (CHINESE + invalid, True)


def test_the_decision_falls_with_the_last_point_that_was_missing() -> None:
    character = twice("中", "latin-1")  # two points
    filter_ = Repair()

    assert filter_.feed(character * 31) == ""
    assert filter_.feed(character) == "中" * 32
    assert repair(f"word {character} " * 8)[1] is True
    assert repair(f"word {character} " * 7)[1] is None


def test_the_evidence_of_a_long_reply_is_weighed_when_no_more_is_held() -> None:
    long_french = FRENCH * 10

    assert repair(twice(long_french, "cp1252")) == (long_french, True)
    filter_ = Repair()
    assert filter_.feed(f"`Ã©` {'and so on ' * 50}") == "`"
    assert len(filter_.feed("and so on ")) > MAX_HELD_CHARS
    assert filter_.feed(twice(FRENCH, "cp1252")) == twice(FRENCH, "cp1252")
    assert filter_.verdict is None


any_text = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)
# Characters that sequences are made of, their neighbours, and a few that belong to none.
odd_text = st.text(alphabet="aé -\xa0\x80\x9f…€™œÂÃÄâäåãðôíà½¥¿»Ÿ你\n", max_size=80)
sequences = st.sampled_from("éüñ’€中文字я😀").flatmap(
    lambda character: st.sampled_from([twice(character, encoding) for encoding in ENCODINGS])
)
seeded = st.builds("{}{}{}".format, odd_text, st.lists(sequences, max_size=40).map("".join), odd_text)


@given(st.data(), seeded, st.sampled_from(PRIORS))
def test_cuts_change_neither_text_nor_verdict(data: st.DataObject, text: str, prior: bool | None) -> None:
    pieces = data.draw(st.composite(cut)(text))

    assert repair_pieces(pieces, prior) == repair(text, prior)
    assert repair_pieces(list(text), prior) == repair(text, prior)


@given(seeded, st.sampled_from(PRIORS))
def test_only_complete_sequences_change(text: str, prior: bool | None) -> None:
    assume(" " not in text)
    shown, verdict = repair(text, prior)

    assert shown == (repair_naively(text) if verdict else text)


def repair_naively(text: str) -> str:
    codes = [character.encode("cp1252", "ignore") or character.encode("latin-1", "ignore") for character in text]
    repaired, at = "", 0
    while at < len(text):
        for length in (2, 3, 4):
            code = codes[at : at + length]
            try:
                decoded = b"".join(code).decode() if all(code) and len(code) == length else ""
            except UnicodeDecodeError:
                continue
            if len(decoded) == 1:
                repaired, at = repaired + decoded, at + length
                break
        else:
            repaired, at = repaired + text[at], at + 1
    return repaired


@given(st.data(), any_text, st.lists(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=8), any_text)
def test_eight_chinese_characters_are_enough(data: st.DataObject, before: str, chinese: list[str], after: str) -> None:
    text = before + "".join(chinese) + after
    encoding = data.draw(st.sampled_from(ENCODINGS))
    pieces = data.draw(st.composite(cut)(twice(text, encoding)))

    assert repair_pieces(pieces) == (text, True)


@given(st.data(), st.lists(sequences, max_size=7), st.characters(min_codepoint=0x4E00, codec="utf-8"), seeded)
def test_one_foreign_character_before_enough_evidence_proves_a_reply_clean(
    data: st.DataObject, head: list[str], foreign: str, rest: str
) -> None:
    text = "".join(head) + foreign + rest
    pieces = data.draw(st.composite(cut)(text))

    assert repair_pieces(pieces) == (text, False)


@given(any_text, st.sampled_from(PRIORS))
def test_ordinary_unicode_text_stays_as_it_is(text: str, prior: bool | None) -> None:
    assume(repair_naively(text) == text)
    assert repair(text, prior)[0] == text


@given(st.lists(seeded), st.sampled_from(PRIORS))
@pytest.mark.usefixtures("unmeasured")
def test_the_buffer_is_bounded(pieces: list[str], prior: bool | None) -> None:
    filter_ = Repair(prior)
    fed = given_out = 0
    for piece in pieces:
        fed += len(piece)
        given_out += len(filter_.feed(piece))
        if not filter_.verdict:
            assert fed - given_out < MAX_HELD_CHARS
