"""The estimate of tokens, against the counts of a real tokenizer."""

import json
import threading
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.chat.tokens import _PIECE, estimate_tokens

SAMPLES = json.loads((Path(__file__).parents[2] / "samples" / "tokens.json").read_text(encoding="utf-8"))["samples"]


def errors(use: str) -> dict[str, float]:
    return {
        sample["name"]: estimate_tokens(sample["text"]) / sample["tokens"] - 1
        for sample in SAMPLES
        if sample["use"] == use
    }


@pytest.mark.parametrize("use", ["tuning", "check"])
def test_the_estimate_is_near_the_true_count(use: str) -> None:
    found = errors(use)
    mean = sum(map(abs, found.values())) / len(found)
    worst = max(found, key=lambda name: abs(found[name]))
    print(f"{use}: {len(found)} texts, mean error {mean:.1%}, worst {found[worst]:+.0%} ({worst})")

    assert mean < 0.15
    assert abs(found[worst]) < 0.5


def test_all_texts_together_come_out_right() -> None:
    true = sum(sample["tokens"] for sample in SAMPLES)

    assert sum(estimate_tokens(sample["text"]) for sample in SAMPLES) == pytest.approx(true, rel=0.05)


@given(st.text())
def test_no_text_is_free_and_none_costs_more_than_its_characters(text: str) -> None:
    assert bool(text) <= estimate_tokens(text) <= len(text)


@pytest.mark.parametrize("text", ["a", "Aa", "é", " ", "- ", "字", "aé", "\n", "abcdefghi", "😀", "a-"])
def test_a_long_text_is_counted_in_linear_time(text: str) -> None:
    long_text = text * (500_000 // len(text))
    started = time.process_time()

    estimate_tokens(long_text)

    assert time.process_time() - started < 2


def test_a_long_text_that_is_counted_in_a_thread_lets_other_threads_run() -> None:
    counting = threading.Thread(target=estimate_tokens, args=("😀" * 1_000_000,))
    started = seen = time.perf_counter()
    longest = 0.0
    counting.start()
    while counting.is_alive():
        time.sleep(0.001)
        seen, before = time.perf_counter(), seen
        longest = max(longest, seen - before)

    assert longest < 0.3 * (seen - started)


@given(st.lists(st.text("ab1 \n\t\r'-_.é字ß", max_size=12), max_size=12))
def test_lines_count_the_same_each_alone(lines: list[str]) -> None:
    whole = "\n".join(lines)

    assert estimate_tokens(whole) == len(_PIECE.findall(whole))


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_ascii_counts_the_same_beside_other_letters(text: str) -> None:
    assert estimate_tokens(f"{text}。") == estimate_tokens(text) + 1


@given(st.text(st.sampled_from("abBlreEvdst '!\"(,\n\t01"), max_size=40))
@example("we'll")
def test_no_character_more_of_ascii_costs_less(text: str) -> None:
    counts = [estimate_tokens(text[:end]) for end in range(len(text) + 1)]

    assert counts == sorted(counts)
