"""Where the application keeps what its handlers share. Nothing else, so that no import goes in a circle."""

from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from proxy.access.rate_limits import RateLimiter
from proxy.access.rules import AccessRules, Caller
from proxy.api.admin.service import Administration
from proxy.api.images.fetching import PictureFetcher
from proxy.api.responses.service import Responses
from proxy.chat.conversations import Conversations
from proxy.chat.service import ChatService
from proxy.chat.upstream import Upstream
from proxy.server.background import BackgroundTasks
from proxy.server.peers import PeerWorkers
from proxy.usage.recorder import RequestRecord, UsageRecorder
from shared.settings import Settings

SETTINGS = web.AppKey("SETTINGS", Settings)
BACKGROUND = web.AppKey("BACKGROUND", BackgroundTasks)
CHAT = web.AppKey("CHAT", ChatService)
CONVERSATIONS = web.AppKey("CONVERSATIONS", Conversations)
PICTURES = web.AppKey("PICTURES", PictureFetcher)
ACCESS = web.AppKey("ACCESS", AccessRules)
UPSTREAMS: web.AppKey[Sequence[Upstream]] = web.AppKey("UPSTREAMS", Sequence)
STORE_TROUBLE: web.AppKey[Callable[[], str | None]] = web.AppKey("STORE_TROUBLE")  # why it cannot be used
RESPONSES = web.AppKey("RESPONSES", Responses)
LIMITS = web.AppKey("LIMITS", RateLimiter)
USAGE = web.AppKey("USAGE", UsageRecorder)
PEERS = web.AppKey("PEERS", PeerWorkers)
ADMINISTRATION = web.AppKey("ADMINISTRATION", Administration)
REQUEST_ID = web.RequestKey("REQUEST_ID", str)
ORIGIN = web.RequestKey("ORIGIN", str)  # of a browser page that may read the answer
CALLER = web.RequestKey("CALLER", Caller)  # missing where a probe came without a key
TURN = web.RequestKey("TURN", RequestRecord)  # of a request to a model
RATE_HEADERS: web.RequestKey[Mapping[str, str]] = web.RequestKey("RATE_HEADERS", Mapping)
