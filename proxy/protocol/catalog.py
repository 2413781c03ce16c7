"""Which model names there are, and which bot of which site each one means.

A configured alias beats a slug, a slug beats a built-in alias. `name@host[:port]` pins one site.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.models import Bot
from shared.parsing import Site

DEFAULT_SITE = "https://chatgptfree.ai"
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
class SiteBots:
    """What one site offers: the bots its page showed (none before the first visit) and when (Unix seconds)."""

    site: Site
    bots: tuple[Bot, ...] = ()
    discovered_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """A name, and the bot it stands for."""

    id: str
    site: Site
    bot: Bot
    discovered: bool  # the visited page shows this bot
    alias_of: str | None  # the discovered model that an alias leads to
    created: int

    def to_wire(self) -> dict[str, Any]:
        """OpenAI's model object, with what the bot can do in further fields."""
        return {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": self.bot.provider.lower() or self.site.host,
            "alias_of": self.alias_of,
            "discovered": self.discovered,
            "name": self.bot.name or None,
            "site": self.site.host,
            "bot_id": self.bot.id,
            "web_search": self.bot.web_search,
            "images": self.bot.images,
        }


class Catalog:
    """All models of all sites, in order of preference."""

    def __init__(self, sites: Sequence[SiteBots], configured: Mapping[str, int], default_model: str = "") -> None:
        self._default = default_model
        self._listed: dict[str, Model] = {}
        self._pinned: dict[str, Model] = {}
        for position, site in enumerate(sites):
            # A pair without a host means the first site; `name@host=id` names another one.
            aliases = {
                name.partition("@")[0]: bot_id
                for name, bot_id in configured.items()
                if (name.partition("@")[2] == site.site.host if "@" in name else position == 0)
            }
            for listed, model in _models_of(site, aliases):
                pinned_id = f"{model.id}@{site.site.host}"
                self._pinned.setdefault(pinned_id, model)
                if listed and self._listed.setdefault(model.id, model) is not model:
                    self._listed.setdefault(pinned_id, replace(model, id=pinned_id))

    def list(self) -> list[Model]:
        """Every model once; a name that an earlier site also has is listed as `name@host`."""
        return list(self._listed.values())

    def find(self, name: str) -> tuple[str, Model] | None:
        """The name that answers and its model; the default model for unknown names, else None."""
        model = self._named(name)
        if model is not None:
            return name, model
        fallback = self._named(self._default) if self._default else None
        return (self._default, fallback) if fallback else None

    def offers(self, name: str) -> Sequence[Model]:
        """Every site's model of that name, in order of preference; only one for a pinned name."""
        if "@" in name:
            model = self._named(name)
            return [model] if model else []
        return [model for model in self._pinned.values() if model.id == name]

    def _named(self, name: str) -> Model | None:
        if name in self._listed:
            return self._listed[name]
        if "@" in name:
            return self._pinned.get(name)
        return next((model for model in self._pinned.values() if model.id == name), None)


def may_use(allowed: frozenset[str] | None, name: str) -> bool:
    """Whether *name*, also of one site, is among the *allowed* ones (None: all)."""
    return allowed is None or name in allowed or name.partition("@")[0] in allowed


def slug(name: str) -> str:
    """*name* in lower case; letters and digits of any script kept, everything else a single hyphen."""
    lowered = unicodedata.normalize("NFC", name).lower()
    return "-".join("".join(char if char.isalnum() else " " for char in lowered).split())


def _models_of(site: SiteBots, configured: Mapping[str, int]) -> Iterator[tuple[bool, Model]]:
    """All models of one site in order of rank, and whether each is listed."""
    by_id = {bot.id: bot for bot in site.bots}
    slugs = _slugs(site.bots)
    created = int(site.discovered_at)

    def alias(name: str, bot_id: int) -> Model:
        bot = by_id.get(bot_id)
        return Model(name, site.site, bot or Bot(id=bot_id, name=""), bot is not None, slugs.get(bot_id), created)

    seen: set[str] = set()
    for name, bot_id in configured.items():
        seen.add(name)
        yield True, alias(name, bot_id)
    for bot in site.bots:
        if slugs[bot.id] not in seen:
            seen.add(slugs[bot.id])
            yield True, Model(slugs[bot.id], site.site, bot, True, None, created)
    if site.site.origin == DEFAULT_SITE or not site.bots:
        for name, bot_id in BUILT_IN.items():
            if name not in seen:
                seen.add(name)
                yield True, alias(name, bot_id)
    for bot in site.bots:  # of bots that share a name the first also answers to the bare name
        plain = _slug(bot)
        if plain not in seen:
            seen.add(plain)
            yield False, Model(plain, site.site, bot, True, slugs[bot.id], created)


def _slugs(bots: Sequence[Bot]) -> dict[int, str]:
    """The model id of each bot; where names clash, the bot id is appended."""
    uses = Counter(_slug(bot) for bot in bots)
    return {bot.id: _slug(bot) if uses[_slug(bot)] == 1 else f"{_slug(bot)}-{bot.id}" for bot in bots}


def _slug(bot: Bot) -> str:
    return slug(bot.name) or f"bot-{bot.id}"
