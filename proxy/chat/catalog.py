"""The model names, and which bot of which site or server each one means.

A configured alias beats a slug, a slug beats a built-in alias. `name@host[:port]` pins one site. Models of servers
are called `server/model`, and by the bare name where no site has it. Names that match nothing exactly are matched
without case, and without what other programs add (`openai/NAME`, `models/NAME`, `NAME:latest`).
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from proxy.chat.errors import ServiceError
from proxy.chat.tools.definitions import OutputFormat, ToolConfig
from proxy.chat.upstream import Upstream, UpstreamBots
from shared.models import Bot
from shared.parsing import Site

MAX_SHOWN = 100  # characters of a model's name in the error that there is none
DEFAULT_SITE = "https://chatgptfree.ai"
CHARS_PER_TOKEN = 4  # of English prose, about
TOOLS_CHARS = 4_000  # a bot must accept this much for emulated tools
MAX_SIMILAR = 3
CLAUDE = "Claude"  # a bot's provider
_SCHEMA = ToolConfig(output_format=OutputFormat(schema={}))
_FOLDER = "models/"
_PREFIXES = ("openai/", "anthropic/", _FOLDER)
_MAX_PREFIXES = 2
_SUFFIX = ":latest"
_CLAUDE = "claude-"  # what the names of Anthropic's models begin with
_MIN_SIMILARITY = 0.45  # lowest ratio of `difflib`; gpt-4 and gpt-4o-mini have 0.6
_MAX_NAME = 1000  # characters; longer names are not normalized
_MAX_COMPARED = 100  # names, and characters of each
# Publicly known bot ids of the default site. The site changes what an id means: what its page shows goes first.
BUILT_IN = {
    "gpt-4o-mini": 25865,
    "gpt-5-nano": 25871,
    "gemini-pro": 25874,
    "deepseek-coder": 25873,
    "claude-3-opus": 25875,
    "grok-1": 25872,
    "meta-llama-3": 25870,
    "qwen-max": 25869,
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model name and the bot that it stands for."""

    id: str
    site: Site
    bot: Bot
    upstream: Upstream
    discovered: bool  # the visited page shows this bot
    alias_of: str | None  # the discovered model that an alias leads to
    created: int
    is_server: bool = False  # its upstream is a server, which has the model under the bot's name

    def to_wire(self, *, max_transcript: int, emulates: bool = True) -> dict[str, Any]:
        """OpenAI's model object, with the bot's abilities in further fields, named as OpenRouter names them.

        *max_transcript*: characters that reach the bot. *emulates*: whether tools and output formats are emulated
        where the upstream has none.
        """
        search = ["web_search_options"] if self.bot.web_search else []
        length = min(max_transcript, self.bot.max_message or max_transcript)
        emulates = emulates and not 0 < self.bot.max_message < TOOLS_CHARS
        tools = "native" if self.upstream.has_tools(self.bot) else "emulated" if emulates else None
        schemas = "native" if self.upstream.takes(self.bot, _SCHEMA) else "emulated" if emulates else None
        forms = [
            *(["tools", "tool_choice"] if tools else []),
            *(["response_format", "structured_outputs"] if schemas else []),
        ]
        taken = sorted(self.upstream.supported_parameters - {"max_tokens"})
        return {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": self.bot.provider.lower() or self.site.host,
            "alias_of": self.alias_of,
            "discovered": self.discovered,
            "name": self.bot.name or None,
            "site": self.site.host,
            "kind": self.upstream.kind,
            "bot_id": None if self.is_server else self.bot.id,
            "web_search": self.bot.web_search,
            "images": self.bot.images,
            "tools": tools,
            "structured_outputs": schemas,
            "context_length": (self.bot.context_length or None) if self.is_server else length // CHARS_PER_TOKEN,
            "architecture": {
                "input_modalities": ["text", "image"] if self.bot.images else ["text"],
                "output_modalities": ["text"],
            },
            "supported_parameters": ["max_tokens", "max_completion_tokens", "stop", *taken, *search, *forms],
        }


class Catalog:
    """All models of all sites, in order of preference."""

    def __init__(self, sites: Sequence[UpstreamBots], configured: Mapping[str, int], default_model: str = "") -> None:
        self._default = default_model
        self._listed: dict[str, Model] = {}
        pinned: dict[str, Model] = {}
        for position, site in enumerate(site for site in sites if not site.is_server):
            # A pair without a host means the first site; `name@host=id` names another one.
            aliases = {
                name.partition("@")[0]: bot_id
                for name, bot_id in configured.items()
                if (name.partition("@")[2] == site.site.host if "@" in name else position == 0)
            }
            for listed, model in _models_of_site(site, aliases):
                pinned_id = f"{model.id}@{site.site.host}"
                pinned.setdefault(pinned_id, model)
                if listed and self._listed.setdefault(model.id, model) is not model:
                    self._listed.setdefault(pinned_id, replace(model, id=pinned_id))
        of_sites = {model.id.lower() for model in pinned.values()}
        for server in (site for site in sites if site.is_server):
            for model in _models_of_server(server, of_sites):
                pinned.setdefault(f"{model.id}@{server.site.host}", model)
                self._listed.setdefault(model.id, model)
        self._by_name: dict[str, list[Model]] = {}  # every site's model of a name
        for model in pinned.values():
            self._by_name.setdefault(model.id, []).append(model)
        for pinned_id, model in pinned.items():
            self._by_name.setdefault(pinned_id, [self._listed.get(pinned_id, model)])
        # The names that a key may use, and the canonical ones that they stand for here, in lower case.
        self._allowed: dict[frozenset[str], frozenset[str]] = {}
        self._canonical: dict[str, str] = {}  # every canonical name, by its lower case
        for name in (*self._listed, *pinned, *self._by_name):
            self._canonical.setdefault(name.lower(), name)
        for spelling, name in list(self._canonical.items()):  # Google's servers list it so, and all call it without
            self._canonical.setdefault(spelling.replace(_FOLDER, "", 1), name)

    def list(self) -> list[Model]:
        """Every model once; a name that an earlier site also has is listed as `name@host`."""
        return list(self._listed.values())

    def find(self, name: str, allowed: frozenset[str] | None = None) -> tuple[str, Model] | None:
        """The canonical name and the model for *name*. Unknown names get the default model, names of Anthropic's models
        otherwise one of its bots that is *allowed* (see `is_allowed`). None: there is none."""
        if found := self.resolve(name):
            return found
        if self._default and (found := self.resolve(self._default)):
            return found
        return self._first_claude(allowed) if is_claude(name) else None

    def resolve(self, name: str) -> tuple[str, Model] | None:
        """The canonical name and the model for *name*, without any default; None for unknown names."""
        if name not in self._by_name:
            spellings = _spellings(name) if len(name) <= _MAX_NAME else ()
            found = next((self._canonical[each] for each in spellings if each in self._canonical), None)
            if found is None:
                return None
            name = found
        return name, self._listed.get(name) or self._by_name[name][0]

    def is_allowed(self, name: str, allowed: frozenset[str] | None) -> bool:
        """Whether one of the *allowed* names (None: all) means *name*, which may name a site."""
        if allowed is None:
            return True
        canonical = self._allowed.get(allowed)
        if canonical is None:
            canonical = frozenset((self.resolve(each) or (each,))[0].lower() for each in allowed)
            self._allowed[allowed] = canonical
        lower = name.lower()
        return not canonical.isdisjoint((lower, lower.partition("@")[0]))

    def similar(self, name: str, allowed: frozenset[str] | None) -> Sequence[str]:
        """Names similar to *name* that may be used, the most similar first."""
        names = [each for each in self._listed if len(each) <= _MAX_COMPARED and self.is_allowed(each, allowed)]
        shortest = min(_spellings(name[:_MAX_COMPARED]), key=len)
        return get_close_matches(shortest, names[:_MAX_COMPARED], MAX_SIMILAR, _MIN_SIMILARITY)

    def candidates(self, name: str) -> Sequence[Model]:
        """Every site's model of that name, in order of preference; only one for a pinned name."""
        return self._by_name.get(name, ())

    def _first_claude(self, allowed: frozenset[str] | None) -> tuple[str, Model] | None:
        for model in self._listed.values():
            if model.alias_of is None and model.bot.provider == CLAUDE and self.is_allowed(model.id, allowed):
                return model.id, model
        return None


def is_claude(name: str) -> bool:
    """Whether *name* looks like one of Anthropic's models."""
    return name.lower().rpartition("/")[2].startswith(_CLAUDE)


def _spellings(name: str) -> list[str]:
    """The candidates for *name* in lower case, from the whole name to the one without prefixes and suffix."""
    found = [name.lower()]
    while found[-1].startswith(_PREFIXES) and len(found) <= _MAX_PREFIXES:
        found.append(found[-1].partition("/")[2])
    return [spelling for each in found for spelling in dict.fromkeys((each, each.removesuffix(_SUFFIX)))]


def slug(name: str) -> str:
    """*name* in lower case; letters and digits of any script are kept, everything else becomes a single hyphen."""
    lowered = unicodedata.normalize("NFC", name).lower()
    return "-".join("".join(char if char.isalnum() else " " for char in lowered).split())


def _models_of_site(site: UpstreamBots, configured: Mapping[str, int]) -> Iterator[tuple[bool, Model]]:
    """All models of one site, and whether each is listed; the first of several bots with one name gets the name."""
    created = int(site.discovered_at)
    by_id = {bot.id: bot for bot in site.bots}
    slugs = _slugs(site.bots)

    def model(name: str, bot: Bot, *, discovered: bool = True, alias_of: str | None = None) -> Model:
        return Model(name, site.site, bot, site.upstream, discovered, alias_of, created)

    def alias(name: str, bot_id: int) -> Model:
        bot = by_id.get(bot_id)
        return model(name, bot or Bot(id=bot_id, name=""), discovered=bot is not None, alias_of=slugs.get(bot_id))

    listed = {name: alias(name, bot_id) for name, bot_id in configured.items()}
    for bot in site.bots:
        name = slugs[bot.id]
        listed.setdefault(name, model(name, bot))
    if site.site.origin == DEFAULT_SITE or not site.bots:
        for name, bot_id in BUILT_IN.items():
            listed.setdefault(name, alias(name, bot_id))
    yield from ((True, each) for each in listed.values())
    for bot in site.bots:  # of bots that share a name the first also answers to the bare name
        yield False, model(_slug(bot), bot, alias_of=slugs[bot.id])


def _models_of_server(server: UpstreamBots, taken: Collection[str]) -> Iterator[Model]:
    """The models of a server, as `server/model`, and by the bare name where that is not *taken*."""
    created = int(server.discovered_at)
    for bot in server.bots:
        bare = bot.name.removesuffix(_SUFFIX)
        full = f"{server.site.host}/{bare}"
        model = Model(full, server.site, bot, server.upstream, True, None, created, is_server=True)
        yield model
        if bare.lower() not in taken:
            yield replace(model, id=bare, alias_of=full)


def _slugs(bots: Sequence[Bot]) -> dict[int, str]:
    """The model id of each bot; where names clash the bot id is appended, again if that is another one's name."""
    uses = Counter(_slug(bot) for bot in bots)
    slugs: dict[int, str] = {}
    for bot in bots:
        name = _slug(bot)
        clashes = uses[name] > 1
        while clashes:
            name = f"{name}-{bot.id}"
            clashes = name in uses
        slugs[bot.id] = name
    return slugs


def _slug(bot: Bot) -> str:
    return slug(bot.name) or f"bot-{bot.id}"


def unknown_model(name: str, similar: Sequence[str] = (), *, default: str = "") -> ServiceError:
    """The error for an unknown model name. *similar*: similar names. *default*: the default model, if that is unknown
    too."""
    shown = name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}…"
    hint = f"Did you mean {' or '.join(similar)}? " if similar else ""
    if default:
        hint += f"FREEAICHAT_DEFAULT_MODEL names '{default}', which does not exist either. "
    elif is_claude(name):
        hint += (
            "No bot here is told to be Claude; FREEAICHAT_MODELS or FREEAICHAT_DEFAULT_MODEL lead such names to one. "
        )
    return ServiceError(
        404,
        f"The model '{shown}' does not exist here. {hint}GET /v1/models lists the names.",
        code="model_not_found",
        param="model",
    )
