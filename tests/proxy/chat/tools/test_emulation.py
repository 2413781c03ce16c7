"""When an upstream is dropped: once it goes on after its calls, and not while it only closes them."""

from collections.abc import Iterable

import pytest

from proxy.chat.emulation import Emulation
from proxy.chat.tools.definitions import Offer
from proxy.chat.upstream import Enough
from shared.conversations import Call
from tests.proxy.chat.tools.corpus import CALLS, Sample
from tests.proxy.chat.tools.reading import LIST, OFFER, PATCH, WEATHER, WRITE, pieces_of

ONE_AT_A_TIME = Offer((WEATHER, WRITE, LIST, PATCH), parallel=False)
GOES_ON = {  # by the samples' labels
    *("text afterwards", "a made-up result", "a made-up result within", "tool_call, then prose", "tool fence"),
    *("json fence, then a made-up result", "invoke, then prose", "tool_call, then a made-up result"),
    "missing bracket, then a made-up result",
}
CALL = '```tool_calls\n{"name":"list_files","arguments":{}}\n```'


def fed(pieces: Iterable[str], offer: Offer = OFFER) -> tuple[int, str]:
    """How many calls were given, and all the text that was taken; raises `Enough` where no more is wanted."""
    calls: list[Call] = []

    def give(call: Call) -> bool:
        calls.append(call)
        return True

    reading = Emulation(offer, lambda _: True, give, max_tokens=None, given=())
    for piece in pieces:
        reading.feed(piece)
    reading.end(cut=False)
    return len(calls), reading.raw


@pytest.mark.parametrize("sample", [sample for sample in CALLS if sample.label not in GOES_ON], ids=lambda s: s.label)
@pytest.mark.parametrize("offer", [OFFER, ONE_AT_A_TIME], ids=["parallel", "one at a time"])
def test_what_closes_a_call_is_taken_with_it_in_any_pieces(sample: Sample, offer: Offer) -> None:
    """Else the upstream's copy would not be known whole, and the next turn would send everything again."""
    if offer is ONE_AT_A_TIME and len(sample.calls) > 1:
        return
    for size in (1, 2, 3, 7):
        assert fed(pieces_of(sample.answer, size), offer) == (len(sample.calls), sample.answer)


@pytest.mark.parametrize(
    "after",
    [
        "\nIt is sunny.",
        "\n\n[result of list_files]\na.txt",
        '\n{"name":"list_files"}',
        "\n- so",
        "<tool_call> again",
        "。",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_what_goes_on_after_calls_is_wanted_by_nobody(after: str, size: int) -> None:
    with pytest.raises(Enough) as raised:
        fed([*pieces_of(CALL, 4), *pieces_of(after, size)])

    assert raised.value.reason == "tool_calls"


def test_another_call_where_one_alone_is_wanted_ends_it_too() -> None:
    with pytest.raises(Enough):
        fed(pieces_of(CALL.replace("```tool_calls\n", '```tool_calls\n{"name":"list_files"}\n'), 3), ONE_AT_A_TIME)


@pytest.mark.parametrize("after", ["`" * 300, "</tool_call>" * 30, "\n" * 300, "<" * 300])
def test_what_closes_calls_has_an_end(after: str) -> None:
    with pytest.raises(Enough):
        fed([CALL, *pieces_of(after, 10)])
