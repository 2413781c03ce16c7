"""Model names: slugs, aliases, clashes, pins and the default."""

import pytest

from proxy.protocol.catalog import BUILT_IN, DEFAULT_SITE, Catalog, SiteBots, slug
from shared.models import Bot
from shared.parsing import site

OTHER = site("https://chat.example/talk/")
DEFAULT = site(DEFAULT_SITE)


def bots(*named: tuple[int, str]) -> tuple[Bot, ...]:
    return tuple(Bot(id=number, name=name, provider="OpenAI") for number, name in named)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GPT-4o mini Helper", "gpt-4o-mini-helper"),
        ("Vision Bot 视觉", "vision-bot-视觉"),
        ('Claude "Sonnet" <b>', "claude-sonnet-b"),
        ("  --Ünïcode__Bot 2.5!  ", "ünïcode-bot-2-5"),
        ("Помощник №1", "помощник-1"),
        ("!!!", ""),
    ],
)
def test_a_slug_keeps_letters_and_digits_of_any_script(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_a_discovered_bot_is_named_by_its_slug() -> None:
    catalog = Catalog([SiteBots(OTHER, bots((5, "GPT-4o mini Helper")), 1000.9)], {})

    found = catalog.find("gpt-4o-mini-helper")

    assert found is not None
    assert found[1].bot.id == 5
    wire = found[1].to_wire()
    assert (wire["object"], wire["created"], wire["owned_by"], wire["alias_of"]) == ("model", 1000, "openai", None)


def test_a_nameless_bot_is_named_by_its_number() -> None:
    catalog = Catalog([SiteBots(OTHER, bots((7, "?!")))], {})

    assert [model.id for model in catalog.list()] == ["bot-7"]


def test_bots_that_share_a_name_are_told_apart_by_their_number() -> None:
    catalog = Catalog([SiteBots(OTHER, bots((5, "Helper"), (6, "helper!"), (7, "Other")))], {})

    assert [model.id for model in catalog.list()] == ["helper-5", "helper-6", "other"]
    bare = catalog.find("helper")
    assert bare is not None
    assert bare[1].bot.id == 5


def test_built_in_names_serve_a_site_until_its_bots_are_discovered() -> None:
    assert {model.id for model in Catalog([SiteBots(OTHER)], {}).list()} == set(BUILT_IN)
    assert Catalog([SiteBots(OTHER, bots((5, "Helper")))], {}).find("gpt-4o-mini") is None


def test_built_in_names_stay_on_the_default_site_even_if_its_page_shows_other_bots() -> None:
    catalog = Catalog([SiteBots(DEFAULT, bots((25865, "Small GPT"), (9, "New")))], {})

    shown, hidden = catalog.find("gpt-4o-mini"), catalog.find("qwen-max")

    assert shown is not None
    assert (shown[1].discovered, shown[1].bot.id, shown[1].alias_of) == (True, 25865, "small-gpt")
    assert hidden is not None
    assert (hidden[1].discovered, hidden[1].bot.id, hidden[1].alias_of) == (False, 25869, None)


def test_an_alias_says_which_discovered_bot_it_leads_to() -> None:
    catalog = Catalog([SiteBots(DEFAULT, bots((25873, "Claude Something")))], {})

    found = catalog.find("deepseek-coder")

    assert found is not None
    assert found[1].alias_of == "claude-something"


def test_a_configured_alias_beats_a_slug_and_a_slug_beats_a_built_in_name() -> None:
    page = SiteBots(DEFAULT, bots((1, "Helper"), (2, "Gemini Pro")))

    catalog = Catalog([page], {"helper": 2})

    helper, gemini = catalog.find("helper"), catalog.find("gemini-pro")
    assert helper is not None
    assert helper[1].bot.id == 2
    assert gemini is not None
    assert (gemini[1].bot.id, gemini[1].alias_of) == (2, None)


def test_a_name_with_a_host_pins_one_site() -> None:
    first = SiteBots(DEFAULT, bots((1, "Helper")))
    second = SiteBots(site("https://chat.example:8443/"), bots((2, "Helper")))

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
    assert catalog.find("helper@nowhere.example") is None


def test_the_default_model_answers_for_unknown_names_under_its_own_name() -> None:
    catalog = Catalog([SiteBots(OTHER, bots((5, "Helper")))], {}, "helper")

    found = catalog.find("gpt-99")

    assert found is not None
    assert (found[0], found[1].bot.id) == ("helper", 5)
    assert Catalog([SiteBots(OTHER, bots((5, "Helper")))], {}).find("gpt-99") is None
