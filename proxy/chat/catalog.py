"""Which model names there are, and which bot of which site each one means.

A configured alias beats a slug, a slug beats a built-in alias. `name@host[:port]` pins one site. Models of servers are
called `server/model`, and by the bare name where no site has it. Where nothing has the exact name, case does not
matter, nor what other programs put around it (`openai/NAME`, `models/NAME`, `NAME:latest`).
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from proxy.chat.errors import ServiceError
from proxy.chat.upstream import SiteBots, Upstream
from shared.models import Bot
from shared.parsing import Site

MAX_SHOWN = 100  # characters of a model's name in the error that there is none
DEFAULT_SITE = "https://chatgptfree.ai"
CHARS_PER_TOKEN = 4  # of English prose, about
TOOLS_CHARS = 4_000  # that a message must take where tools are told of in it
MAX_NEAR = 3
CLAUDE = "Claude"  # a bot's provider
_FOLDER = "models/"
_PREFIXES = ("openai/", "anthropic/", _FOLDER)
_MAX_PREFIXES = 2
_SUFFIX = ":latest"
_CLAUDE = "claude-"  # what the names of Anthropic's models begin with
_NEAR = 0.45  # the likeness from which on a name is told as a near one; that of gpt-4 and gpt-4o-mini is 0.6
_LONGEST = 1000  # characters of a name that is looked for in other spellings
_COMPARED = 100  # names, and characters of each
# Bot ids of the default site as known in public. The site changes what stands behind an id: what its page says wins.
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
    """A name, and the bot it stands for."""

    id: str
    site: Site
    bot: Bot
    upstream: Upstream
    discovered: bool  # the visited page shows this bot
    alias_of: str | None  # the discovered model that an alias leads to
    created: int
    is_server: bool = False  # its upstream is a server, which has the model under the bot's name

    def to_wire(self, *, max_transcript: int, emulates: bool = True) -> dict[str, Any]:
        """OpenAI's model object, with what the bot can do in further fields, named as OpenRouter names them.

        *max_transcript*: characters that reach the bot. *emulates*: whether tools and forms of answers are emulated
        where its upstream has none.
        """
        search = ["web_search_options"] if self.bot.web_search else []
        length = min(max_transcript, self.bot.max_message or max_transcript)
        emulates = emulates and not 0 < self.bot.max_message < TOOLS_CHARS
        tools = "native" if self.upstream.has_tools else "emulated" if emulates else None
        of_tools = ["tools", "tool_choice", "response_format", "structured_outputs"] if tools else []
        taken = sorted(self.upstream.takes - {"max_tokens"})
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
            "structured_outputs": tools,
            "context_length": (self.bot.context_length or None) if self.is_server else length // CHARS_PER_TOKEN,
            "architecture": {
                "input_modalities": ["text", "image"] if self.bot.images else ["text"],
                "output_modalities": ["text"],
            },
            "supported_parameters": ["max_tokens", "max_completion_tokens", "stop", *taken, *search, *of_tools],
        }


class Catalog:
    """All models of all sites, in order of preference."""

    def __init__(self, sites: Sequence[SiteBots], configured: Mapping[str, int], default_model: str = "") -> None:
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
            for listed, model in _models_of(site, aliases):
                pinned_id = f"{model.id}@{site.site.host}"
                pinned.setdefault(pinned_id, model)
                if listed and self._listed.setdefault(model.id, model) is not model:
                    self._listed.setdefault(pinned_id, replace(model, id=pinned_id))
        of_sites = {model.id.lower() for model in pinned.values()}
        for server in (site for site in sites if site.is_server):
            for model in _served(server, of_sites):
                pinned.setdefault(f"{model.id}@{server.site.host}", model)
                self._listed.setdefault(model.id, model)
        self._offers: dict[str, list[Model]] = {}  # every site's model of a name
        for model in pinned.values():
            self._offers.setdefault(model.id, []).append(model)
        for pinned_id, model in pinned.items():
            self._offers.setdefault(pinned_id, [self._listed.get(pinned_id, model)])
        self._meant: dict[frozenset[str], frozenset[str]] = {}  # what the names that keys may use mean here, lower case
        self._spelled: dict[str, str] = {}  # every name as it is written here, by its lower case
        for name in (*self._listed, *pinned, *self._offers):
            self._spelled.setdefault(name.lower(), name)
        for spelling, name in list(self._spelled.items()):  # Google's servers list it so, and all call it without
            self._spelled.setdefault(spelling.replace(_FOLDER, "", 1), name)

    def list(self) -> list[Model]:
        """Every model once; a name that an earlier site also has is listed as `name@host`."""
        return list(self._listed.values())

    def find(self, name: str, allowed: frozenset[str] | None = None) -> tuple[str, Model] | None:
        """The name that answers and its model; the default model for unknown names; for those of Anthropic's models
        else one of its bots that is *allowed* (see `is_allowed`); else None."""
        if found := self.named(name):
            return found
        if self._default and (found := self.named(self._default)):
            return found
        return self._first_claude(allowed) if is_claude(name) else None

    def named(self, name: str) -> tuple[str, Model] | None:
        """What *name* means, and how that is written here; None for unknown names."""
        if name not in self._offers:
            spellings = _spellings(name) if len(name) <= _LONGEST else ()
            found = next((self._spelled[each] for each in spellings if each in self._spelled), None)
            if found is None:
                return None
            name = found
        return name, self._listed.get(name) or self._offers[name][0]

    def is_allowed(self, name: str, allowed: frozenset[str] | None) -> bool:
        """Whether *name*, also of one site, is what one of the *allowed* names means (None: all)."""
        if allowed is None or name in allowed:
            return True
        meant = self._meant.get(allowed)
        if meant is None:
            meant = frozenset((self.named(each) or (each,))[0].lower() for each in allowed)
            self._meant[allowed] = meant
        lower = name.lower()
        return not meant.isdisjoint((lower, lower.partition("@")[0]))

    def near(self, name: str, allowed: frozenset[str] | None) -> Sequence[str]:
        """Names like *name* that may be used, the likest first."""
        names = [each for each in self._listed if len(each) <= _COMPARED and self.is_allowed(each, allowed)]
        wanted = min(_spellings(name[:_COMPARED]), key=len)
        return get_close_matches(wanted, names[:_COMPARED], MAX_NEAR, _NEAR)

    def offers(self, name: str) -> Sequence[Model]:
        """Every site's model of that name, in order of preference; only one for a pinned name."""
        return self._offers.get(name, ())

    def _first_claude(self, allowed: frozenset[str] | None) -> tuple[str, Model] | None:
        for model in self._listed.values():
            if model.alias_of is None and model.bot.provider == CLAUDE and self.is_allowed(model.id, allowed):
                return model.id, model
        return None


def is_claude(name: str) -> bool:
    """Whether *name* is that of one of Anthropic's models, as far as its form tells."""
    return name.lower().rpartition("/")[2].startswith(_CLAUDE)


def _spellings(name: str) -> list[str]:
    """What *name* may mean in lower case, from all of it to what is left without what was put around it."""
    found = [name.lower()]
    while found[-1].startswith(_PREFIXES) and len(found) <= _MAX_PREFIXES:
        found.append(found[-1].partition("/")[2])
    return [spelling for each in found for spelling in dict.fromkeys((each, each.removesuffix(_SUFFIX)))]


def slug(name: str) -> str:
    """*name* in lower case; letters and digits of any script kept, everything else a single hyphen."""
    lowered = unicodedata.normalize("NFC", name).lower()
    return "-".join("".join(char if char.isalnum() else " " for char in lowered).split())


def _models_of(site: SiteBots, configured: Mapping[str, int]) -> Iterator[tuple[bool, Model]]:
    """All models of one site, and whether each is listed; of those with the same name the first one has it."""
    created = int(site.discovered_at)
    by_id = {bot.id: bot for bot in site.bots}
    slugs = _slugs(site.bots)

    def alias(name: str, bot_id: int) -> Model:
        bot = by_id.get(bot_id)
        return Model(
            name, site.site, bot or Bot(id=bot_id, name=""), site.upstream, bot is not None, slugs.get(bot_id), created
        )

    listed = {name: alias(name, bot_id) for name, bot_id in configured.items()}
    for bot in site.bots:
        name = slugs[bot.id]
        listed.setdefault(name, Model(name, site.site, bot, site.upstream, True, None, created))
    if site.site.origin == DEFAULT_SITE or not site.bots:
        for name, bot_id in BUILT_IN.items():
            listed.setdefault(name, alias(name, bot_id))
    yield from ((True, model) for model in listed.values())
    for bot in site.bots:  # of bots that share a name the first also answers to the bare name
        yield False, Model(_slug(bot), site.site, bot, site.upstream, True, slugs[bot.id], created)


def _served(server: SiteBots, taken: Collection[str]) -> Iterator[Model]:
    """The models of a server, each by the name that holds the server's, and by the bare one where it is not *taken*."""
    created = int(server.discovered_at)
    for bot in server.bots:
        bare = bot.name.removesuffix(_SUFFIX)
        full = f"{server.site.host}/{bare}"
        yield Model(full, server.site, bot, server.upstream, True, None, created, is_server=True)
        if bare.lower() not in taken:
            yield Model(bare, server.site, bot, server.upstream, True, full, created, is_server=True)


def _slugs(bots: Sequence[Bot]) -> dict[int, str]:
    """The model id of each bot; where names clash, the bot id is appended, again if that is another one's name."""
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


def unknown_model(name: str, near: Sequence[str] = (), *, default: str = "") -> ServiceError:
    """The error for a name that nobody offers; *near*: names like it; *default*: what was to answer for it, and is
    unknown too."""
    shown = name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}…"
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
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
