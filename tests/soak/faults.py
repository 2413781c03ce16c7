"""Faults of the sites and the server, one after another with pauses between them."""

import asyncio
import random
from collections import Counter
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any

from tests.site import Behaviour
from tests.site.process import RunningSite
from tests.site_ai_engine import Behaviour as AiEngineBehaviour
from tests.soak.server import Switches

STREAM = "aipkit_frontend_chat_stream"
LONG_SECONDS = 300.0
MOST_PERIOD = 8.0
FAULT_SHARE = 0.45  # of the time from one fault to the next; the rest is calm

Faults = dict[str, dict[str, Any]]
# What each is, as switches and commands of what is simulated.
FAULTS: Faults = {
    "a rotated nonce": {"rotate_nonce": True},
    "status 500": {"ajax_status": 500},
    "a connection that breaks": {"cut_connection_after": 3},
    "no nonce action": {"nonce_action": False, "rotate_nonce": True},
    "lost messages": {"cache_key_seconds": 0.0},
    "a page without a chat": {"page": "blank"},
    "status 429": {"ajax_status": 429},
    "an upstream that is silent": {"first_delta_delay": 60.0},
    "banned words": {"banned_words": ["word"]},
    "a broken page": {"page_status": 500},
    "status 502 for the stream": {"ajax_status": 502, "ajax_status_action": STREAM},
    "no end mark": {"drop_done": True},
    "a slow site": {"ajax_delay": 0.5},
    "a refused nonce in German": {"language": "de", "rotate_nonce": True},
    "forgotten responses": {"forget_responses": True},
    "a blocked address": {"banned_ips": ["127.0.0.1"]},
    "words nobody knows": {"stream_error": "Out of order."},
    "an upstream cut at the site's limit": {"upstream_timeout": 0.3, "delta_delay": 0.1},
    "a page with an old nonce": {"stale_page_nonce": True},
    "one failed request": {"ajax_status": 503, "ajax_status_times": 1},
}
AI_ENGINE_FAULTS: Faults = {
    "REST: a rotated nonce": {"rotate_nonce": True},
    "REST: status 502": {"rest_status": 502},
    "REST: status 429": {"rest_status": 429},
    "REST: one failed request": {"rest_status": 503, "rest_status_times": 1},
    "REST: closed to guests": {"rest_closed": True},
    "REST: a slow site": {"rest_delay": 0.5},
    "REST: a server in front gives up": {"gateway_status": 504},
    "REST: banned words": {"banned_words": ["word1"]},
    "REST: a limit": {"limit_text": "You have reached the limit (check the Insights Tab > Limits > Guests)."},
    "REST: a provider that is silent": {"first_delta_delay": 60.0},
    "REST: a provider cut at the site's limit": {"upstream_timeout": 0.3, "delta_delay": 0.1},
    "REST: an answer without its end": {"dies_after": 3},
    "REST: a page without a chat": {"page": "blank"},
    "REST: a page out of a cache": {"kept_for": "user"},
}
SERVER_FAULTS: Faults = {
    "server: status 500": {"status": 500},
    "server: status 429": {"status": 429},
    "server: one failed request": {"status": 503, "status_times": 1},
    "server: a refused key": {"status": 401},
    "server: a page in place of answers": {"page": True},
    "server: a model that is silent": {"first_delta_delay": 60.0},
    "server: a slow server": {"delay": 0.5},
    "server: a connection that breaks": {"cut_after": 3},
    "server: no end": {"drop_end": True},
    "server: an error in the stream": {"error_event": True},
    "server: what is no JSON": {"garbage": True},
    "server: no listing": {"listing_status": 500},
}
# Its first pause, and that of the visit which meets it, is a minute: only where there is time for that.
LONG_FAULTS: Faults = {
    "a check page": {"page": "challenge"},
    "a check page everywhere": {"challenge_ajax": True},
    "a page that never ends": {"page": "endless_blank"},
    "a page that leads to itself": {"page": "redirects"},
}
AI_ENGINE_LONG_FAULTS: Faults = {"REST: a check page": {"challenge_rest": True}}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of simulated upstream: its faults, those that take long, and its switches while it is well."""

    faults: Faults
    long_faults: Faults
    healthy: dict[str, Any]


AIPKIT = Kind(FAULTS, LONG_FAULTS, asdict(Behaviour()))
AI_ENGINE = Kind(AI_ENGINE_FAULTS, AI_ENGINE_LONG_FAULTS, asdict(AiEngineBehaviour()))
OPENAI_SERVER = Kind(SERVER_FAULTS, {}, asdict(Switches()))
PAGE_SWITCHES = frozenset({"page", "page_status", "stale_page_nonce", "kept_for"})
COMMANDS = frozenset({"rotate_nonce", "forget_responses"})


async def rotate(site: RunningSite, kind: Kind, made: Counter[str], *, seconds: float, chance: random.Random) -> None:
    """Make faults for about *seconds*, all equally often, and leave *site* well. Counts them in *made*."""
    faults = kind.faults if seconds < LONG_SECONDS else kind.faults | kind.long_faults
    period = min(max(seconds / len(faults), 1.0), MOST_PERIOD)
    end = monotonic() + seconds
    while True:
        for name in chance.sample(sorted(faults), len(faults)):
            if monotonic() >= end:
                return
            switches = faults[name]
            # Only visits meet what is wrong with a page, and they come now and then.
            length = period * (1.0 if PAGE_SWITCHES & set(switches) else FAULT_SHARE * chance.uniform(0.5, 1.5))
            await site.control(**switches)
            made[name] += 1
            await asyncio.sleep(length)
            await site.control(**{switch: kind.healthy[switch] for switch in switches if switch not in COMMANDS})
            await asyncio.sleep(period - length)
