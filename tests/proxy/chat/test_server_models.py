"""Names of servers' models among those of sites."""

from types import SimpleNamespace
from typing import cast

from proxy.chat.catalog import Catalog
from proxy.chat.upstream import Upstream, UpstreamBots
from shared.models import Bot
from shared.parsing import Site
from tests.proxy.chat.test_catalog import OTHER, bots, offered


def server_bots(name: str, *models: str) -> UpstreamBots:
    upstream = cast(
        Upstream,
        SimpleNamespace(
            has_tools=lambda _: True,
            takes=lambda *_: True,
            kind="openai_server",
            supported_parameters=frozenset({"seed", "max_tokens"}),
        ),
    )
    listed = tuple(Bot(id=number, name=model) for number, model in enumerate(models, 1))
    return UpstreamBots(Site(name, "http://h/v1"), listed, 7.0, upstream, is_server=True)


def test_models_of_servers_have_the_bare_name_where_no_site_has_it() -> None:
    sites = offered(OTHER, bots((5, "GPT-4o"), (6, "Helper"), (7, "Helper")))
    catalog = Catalog(
        [server_bots("a", "gpt-4o", "HELPER", "tiny:latest"), sites, server_bots("b", "tiny", "org/big@1")], {}
    )

    listed = {model.id: model for model in catalog.list()}

    assert set(listed) == {"gpt-4o", "helper-6", "helper-7", "a/gpt-4o", "a/HELPER", "a/tiny", "tiny", "b/tiny"} | {
        "b/org/big@1",
        "org/big@1",
    }
    assert not listed["gpt-4o"].is_server
    assert listed["tiny"].alias_of == "a/tiny"
    assert [model.site.host for model in catalog.candidates("tiny")] == ["a", "b"]  # servers stand for each other
    assert [model.bot.name for model in catalog.candidates("org/big@1")] == ["org/big@1"]
    assert [model.is_server for model in catalog.candidates("gpt-4o")] == [False]


def test_a_sites_name_is_kept_from_servers_in_any_case() -> None:
    catalog = Catalog([offered(OTHER, bots((5, "Helper"))), server_bots("a", "tiny")], {"Tiny": 5})

    assert {model.id for model in catalog.list()} == {"Tiny", "helper", "a/tiny"}


def test_a_servers_model_is_found_however_it_is_written() -> None:
    catalog = Catalog([server_bots("openai", "Llama3.2:latest")], {}, default_model="openai/llama3.2")

    for name in ("openai/Llama3.2", "OPENAI/llama3.2:latest", "llama3.2", "models/llama3.2:LATEST", "Llama3.2@openai"):
        found = catalog.resolve(name)
        assert found is not None, name
        assert found[1].bot.name == "Llama3.2:latest"
    default = catalog.find("unheard-of")
    assert default is not None
    assert default[0] == "openai/Llama3.2"


def test_a_servers_model_tells_what_it_takes() -> None:
    wire = Catalog([server_bots("a", "tiny")], {}).list()[0].to_wire(max_transcript=400_000, emulates=False)

    assert (wire["bot_id"], wire["context_length"], wire["site"], wire["tools"]) == (None, None, "a", "native")
    assert wire["supported_parameters"][:4] == ["max_tokens", "max_completion_tokens", "stop", "seed"]
