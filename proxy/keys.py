"""Where the application keeps what its handlers share. Nothing else, so that no import goes in a circle."""

from collections.abc import Mapping

from aiohttp import web

from proxy.access import Access, Caller
from proxy.administration import Administration
from proxy.chat import ChatService
from proxy.conversations import Conversations
from proxy.credentials import CredentialKeeper
from proxy.key_limits import KeyLimits
from proxy.pictures import PictureFetcher
from proxy.responses import Responses
from proxy.siblings import Siblings
from proxy.turn import Turn
from proxy.upstream import Upstream
from proxy.usage import UsageRecorder
from shared.settings import Settings

SETTINGS = web.AppKey("SETTINGS", Settings)
KEEPER = web.AppKey("KEEPER", CredentialKeeper)
CHAT = web.AppKey("CHAT", ChatService)
CONVERSATIONS = web.AppKey("CONVERSATIONS", Conversations)
PICTURES = web.AppKey("PICTURES", PictureFetcher)
ACCESS = web.AppKey("ACCESS", Access)
UPSTREAM = web.AppKey("UPSTREAM", Upstream)
RESPONSES = web.AppKey("RESPONSES", Responses)
LIMITS = web.AppKey("LIMITS", KeyLimits)
USAGE = web.AppKey("USAGE", UsageRecorder)
SIBLINGS = web.AppKey("SIBLINGS", Siblings)
ADMINISTRATION = web.AppKey("ADMINISTRATION", Administration)
REQUEST_ID = web.RequestKey("REQUEST_ID", str)
ORIGIN = web.RequestKey("ORIGIN", str)  # of a browser page that may read the answer
CALLER = web.RequestKey("CALLER", Caller)  # missing where a probe came without a key
TURN = web.RequestKey("TURN", Turn)  # of a request to a model
RATE_HEADERS: web.RequestKey[Mapping[str, str]] = web.RequestKey("RATE_HEADERS", Mapping)
