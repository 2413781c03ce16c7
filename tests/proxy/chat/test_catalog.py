"""Model names: slugs, aliases, clashes, pins and the default."""

from time import process_time
from types import SimpleNamespace
from typing import cast

import pytest

from proxy.chat.catalog import BUILT_IN, DEFAULT_SITE, Catalog, slug, unknown_model
from proxy.chat.upstream import Upstream, UpstreamBots
from shared.models import Bot
from shared.parsing import Site, site

OTHER = site("https://chat.example/talk/")
DEFAULT = site(DEFAULT_SITE)


def bots(*named: tuple[int, str]) -> tuple[Bot, ...]:
    return tuple(Bot(id=number, name=name, provider="OpenAI") for number, name in named)


def offered(where: Site, offered: tuple[Bot, ...] = (), at: float = 0.0) -> UpstreamBots:
    it = SimpleNamespace(has_tools=lambda _: False, takes=lambda *_: False, kind=None, supported_parameters=frozenset())
    return UpstreamBots(where, offered, at, cast(Upstream, it))  # names ask nobody


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GPT-4o mini Helper", "gpt-4o-mini-helper"),
        ("Vision Bot 视觉", "vision-bot-视觉"),
        ('Claude "Sonnet" <b>', "claude-sonnet-b"),
        ("  --Ünïcode__Bot 2.5!  ", "ünïcode-bot-2-5"),
        ("Помощник №1", "помощник-1"),
        ("Cafe\u0301 Bot", "caf\u00e9-bot"),  # as some systems write an accent
        ("!!!", ""),
    ],
)
def test_a_slug_keeps_letters_and_digits_of_any_script(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_a_discovered_bot_is_named_by_its_slug() -> None:
    catalog = Catalog([offered(OTHER, bots((5, "GPT-4o mini Helper")), 1000.9)], {})

    found = catalog.find("gpt-4o-mini-helper")

    assert found is not None
    assert found[1].bot.id == 5
    wire = found[1].to_wire(max_transcript=400_000)
    assert (wire["object"], wire["created"], wire["owned_by"], wire["alias_of"]) == ("model", 1000, "openai", None)


def test_a_nameless_bot_is_named_by_its_number() -> None:
    catalog = Catalog([offered(OTHER, bots((7, "?!")))], {})

    assert [model.id for model in catalog.list()] == ["bot-7"]


def test_bots_that_share_a_name_are_distinguished_by_their_number() -> None:
    catalog = Catalog([offered(OTHER, bots((5, "Helper"), (6, "helper!"), (7, "Other")))], {})

    assert [model.id for model in catalog.list()] == ["helper-5", "helper-6", "other"]
    bare = catalog.find("helper")
    assert bare is not None
    assert (bare[1].bot.id, bare[1].alias_of) == (5, "helper-5")


def test_a_bot_whose_name_is_like_a_number_put_behind_anothers_name_keeps_it() -> None:
    catalog = Catalog([offered(OTHER, bots((4, "GPT"), (5, "GPT"), (9, "GPT-4")))], {})

    assert {model.id: model.bot.id for model in catalog.list()} == {"gpt-4-4": 4, "gpt-5": 5, "gpt-4": 9}


def test_built_in_names_serve_a_site_until_its_bots_are_discovered() -> None:
    assert {model.id for model in Catalog([offered(OTHER)], {}).list()} == set(BUILT_IN)
    assert Catalog([offered(OTHER, bots((5, "Helper")))], {}).find("gpt-4o-mini") is None


def test_built_in_names_stay_on_the_default_site_even_if_its_page_shows_other_bots() -> None:
    catalog = Catalog([offered(DEFAULT, bots((25865, "Small GPT"), (9, "New")))], {})

    shown, hidden = catalog.find("gpt-4o-mini"), catalog.find("qwen-max")

    assert shown is not None
    assert (shown[1].discovered, shown[1].bot.id, shown[1].alias_of) == (True, 25865, "small-gpt")
    assert hidden is not None
    assert hidden[1].to_wire(max_transcript=8000)["name"] is None  # nobody told it
    assert (hidden[1].discovered, hidden[1].bot.id, hidden[1].alias_of) == (False, 25869, None)


def test_an_alias_says_which_discovered_bot_it_leads_to() -> None:
    catalog = Catalog([offered(DEFAULT, bots((25873, "Claude Something")))], {})

    found = catalog.find("deepseek-coder")

    assert found is not None
    assert found[1].alias_of == "claude-something"


def test_a_configured_alias_beats_a_slug_and_a_slug_beats_a_built_in_name() -> None:
    page = offered(DEFAULT, bots((1, "Helper"), (2, "Gemini Pro")))

    catalog = Catalog([page], {"helper": 2})

    helper, gemini = catalog.find("helper"), catalog.find("gemini-pro")
    assert helper is not None
    assert helper[1].bot.id == 2
    assert gemini is not None
    assert (gemini[1].bot.id, gemini[1].alias_of) == (2, None)
    assert {model.id for model in catalog.list()} == {"helper", *BUILT_IN}  # each name once


def test_a_name_with_a_host_pins_one_site() -> None:
    first = offered(DEFAULT, bots((1, "Helper")))
    second = offered(site("https://chat.example:8443/"), bots((2, "Helper")))

    catalog = Catalog([first, second], {"mine@chat.example:8443": 77})

    plain, pinned = catalog.find("helper"), catalog.find("helper@chat.example:8443")
    assert plain is not None
    assert plain[1].bot.id == 1
    assert pinned is not None
    assert pinned[1].bot.id == 2
    assert "helper@chat.example:8443" in {model.id for model in catalog.list()}
    mine = catalog.find("mine")
    assert mine is not None
    assert mine[1].site.host == "chat.example:8443"
    assert [model.bot.id for model in catalog.candidates("helper")] == [1, 2]
    assert [model.bot.id for model in catalog.candidates("helper@chat.example:8443")] == [2]
    assert catalog.find("helper@nowhere.example") is None


def test_an_alias_without_a_host_is_one_of_the_first_site() -> None:
    catalog = Catalog([offered(OTHER, bots((1, "Helper"))), offered(DEFAULT, bots((1, "Other")))], {"mine": 1})

    assert [model.site for model in catalog.candidates("mine")] == [OTHER]


def test_the_default_model_answers_for_unknown_names_under_its_own_name() -> None:
    catalog = Catalog([offered(OTHER, bots((5, "Helper")))], {}, "helper")

    found = catalog.find("gpt-99")

    assert found is not None
    assert (found[0], found[1].bot.id) == ("helper", 5)
    assert Catalog([offered(OTHER, bots((5, "Helper")))], {}).find("gpt-99") is None


@pytest.mark.parametrize("name", ["claude-opus-4-5", "anthropic/Claude-3-5-haiku-20241022"])
@pytest.mark.parametrize(
    ("aliases", "default", "expected"),
    [
        ({"claude-opus-4-5": 5, "claude-3-5-haiku-20241022": 5}, "helper", "claude-"),
        ({}, "helper", "helper"),
        ({}, "not-there", "a-bot"),
        ({}, "", "a-bot"),
        ({"mine": 7}, "", "a-bot"),
    ],
)
def test_names_of_anthropics_models_lead_where_they_may(
    name: str, aliases: dict[str, int], default: str, expected: str
) -> None:
    claude = Bot(id=7, name="A bot", provider="Claude")
    found = Catalog([offered(OTHER, (*bots((5, "Helper")), claude))], aliases, default).find(name)

    assert found is not None
    assert found[0].startswith(expected)


def test_a_key_is_led_to_the_first_claude_that_it_may_use() -> None:
    claudes = tuple(Bot(id=number, name=name, provider="Claude") for number, name in ((7, "A bot"), (8, "B bot")))
    catalog = Catalog([offered(OTHER, claudes)], {})
    found = [catalog.find("claude-opus-4-5", allowed) for allowed in (None, frozenset({"B-Bot"}), frozenset({"c"}))]

    assert [each and each[0] for each in found] == ["a-bot", "b-bot", None]


def test_without_any_claude_the_error_says_how_to_lead_its_names_to_another_bot() -> None:
    assert Catalog([offered(OTHER, bots((5, "Claude by name alone")))], {}).find("claude-opus-4-5") is None
    assert "FREEAICHAT_MODELS" in unknown_model("claude-opus-4-5").message
    assert "FREEAICHAT_MODELS" not in unknown_model("gpt-99").message


def test_the_error_for_an_unknown_name_shows_it_up_to_a_length() -> None:
    error = unknown_model("x" * 10_000)

    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert len(error.message) < 300
    assert "'gpt-99'" in unknown_model("gpt-99").message


SPELLINGS = [
    *("GPT-4o-Mini-Helper", "openai/gpt-4o-mini-helper", "models/gpt-4o-mini-helper", "gpt-4o-mini-helper:latest"),
    *("OpenAI/GPT-4o-mini-helper:LATEST", "openai/models/gpt-4o-mini-helper"),
]


@pytest.mark.parametrize("name", SPELLINGS)
def test_case_does_not_matter_nor_what_other_programs_put_around_a_name(name: str) -> None:
    catalog = Catalog([offered(OTHER, bots((5, "GPT-4o mini Helper"), (6, "Other")))], {})

    found = catalog.find(name)

    assert found is not None
    assert (found[0], found[1].bot.id) == ("gpt-4o-mini-helper", 5)
    assert [model.bot.id for model in catalog.candidates(found[0])] == [5]


def test_an_exact_name_beats_what_it_could_mean_otherwise() -> None:
    aliases = {"openai/helper": 1, "Helper": 2, "tagged:latest": 3, "Mine": 4}
    catalog = Catalog([offered(OTHER, bots((5, "Helper"), (6, "Tagged")))], aliases)

    def bot(name: str) -> int | None:
        found = catalog.find(name)
        return found[1].bot.id if found else None

    assert [bot(name) for name in ("openai/helper", "Helper", "helper", "tagged:latest", "tagged")] == [1, 2, 5, 3, 6]
    assert [bot(name) for name in ("mine", "OPENAI/HELPER", "models/tagged:latest")] == [4, 1, 3]


def test_a_pinned_name_is_found_in_any_case_too() -> None:
    catalog = Catalog([offered(OTHER, bots((5, "Helper"))), offered(DEFAULT, bots((6, "Helper")))], {})

    for name, host, bot_id in (("openai/Helper@ChatGPTfree.ai", "chatgptfree.ai", 6), ("HELPER@Chat.example", "", 5)):
        found = catalog.find(name)
        assert found is not None
        assert (found[0], found[1].bot.id) == (f"helper@{host or OTHER.host}", bot_id)


@pytest.mark.parametrize(
    "name", ["", "openai/", "models/", ":latest", "other/helper", "helper:newest", "openai/" * 3 + "helper"]
)
def test_other_spellings_are_unknown(name: str) -> None:
    assert Catalog([offered(OTHER, bots((5, "Helper")))], {}).find(name) is None


def test_near_names_are_told_the_likest_first_and_only_those_that_may_be_used() -> None:
    names = ("GPT-4o mini", "GPT-5 nano", "Claude 3 Opus", "视觉助手")
    catalog = Catalog([offered(OTHER, bots(*enumerate(names, 1)))], {})

    assert catalog.similar("gpt-4o", None)[0] == "gpt-4o-mini"
    assert catalog.similar("openai/CLAUDE-3", None)[0] == "claude-3-opus"
    assert catalog.similar("视觉", None) == ["视觉助手"]
    assert catalog.similar("gpt-4o", frozenset({"claude-3-opus"})) == []
    assert catalog.similar("zzz", None) == []


def test_looking_for_near_names_takes_no_long_time_whatever_is_asked_for() -> None:
    catalog = Catalog([offered(OTHER, bots(*((number, f"Helper {number} {'a' * 50}") for number in range(3000))))], {})
    start = process_time()

    catalog.similar("helper " + "a" * 10_000_000, None)
    catalog.find("openai/" * 1_000_000)

    assert process_time() - start < 0.5


def test_a_key_may_use_its_models_in_any_spelling() -> None:
    catalog = Catalog([offered(OTHER, bots((5, "GPT-4o"), (6, "Claude"), (7, "Grok"), (8, "Qwen"), (9, "Llama")))], {})
    allowed = frozenset({"GPT-4o", "claude@chat.example", "openai/grok", "qwen:latest"})

    assert all(
        catalog.is_allowed(name, allowed)
        for name in ("gpt-4o", "gpt-4o@chat.example", "Claude@chat.example", "grok", "qwen", "qwen@chat.example")
    )
    assert not any(catalog.is_allowed(name, allowed) for name in ("claude", "llama"))


def test_a_model_says_how_much_it_takes_and_what_it_can() -> None:
    plain = Bot(id=5, name="Plain")
    able = Bot(id=6, name="Able", images=True, web_search=True)
    wires = [model.to_wire(max_transcript=8000) for model in Catalog([offered(OTHER, (plain, able))], {}).list()]

    assert [wire["context_length"] for wire in wires] == [2000, 2000]
    assert [(wire["name"], wire["owned_by"]) for wire in wires] == [("Plain", OTHER.host), ("Able", OTHER.host)]
    assert [wire["architecture"]["input_modalities"] for wire in wires] == [["text"], ["text", "image"]]
    assert ["web_search_options" in wire["supported_parameters"] for wire in wires] == [False, True]
    assert {(wire["tools"], wire["structured_outputs"]) for wire in wires} == {("emulated", "emulated")}
    assert all("tools" in wire["supported_parameters"] for wire in wires)


def test_disabled_models_are_not_listed() -> None:
    (model,) = Catalog([offered(OTHER, bots((5, "Plain")))], {}).list()
    wire = model.to_wire(max_transcript=8000, emulates=False)

    assert wire["tools"] is None
    assert "tools" not in wire["supported_parameters"]


LENGTHS = [(512, 128, None), (3999, 999, None), (4000, 1000, "emulated"), (100_000, 2000, "emulated")]


@pytest.mark.parametrize(("most", "context", "tools"), LENGTHS)
def test_a_bot_that_takes_short_messages_has_no_room_for_tools(most: int, context: int, tools: str | None) -> None:
    (model,) = Catalog([offered(OTHER, (Bot(id=5, name="Brief", max_message=most),))], {}).list()
    wire = model.to_wire(max_transcript=8000)

    assert (wire["context_length"], wire["tools"], wire["structured_outputs"]) == (context, tools, tools)
    assert ("tools" in wire["supported_parameters"]) is (tools is not None)
