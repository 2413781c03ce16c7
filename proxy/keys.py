"""Where the application keeps what its handlers share. Nothing else, so that no import goes in a circle."""

from aiohttp import web

from proxy.chat import ChatService
from proxy.conversations import Conversations
from proxy.credentials import CredentialKeeper
from proxy.pictures import PictureFetcher
from proxy.responses import Responses
from proxy.upstream import Upstream
from shared.settings import Settings

SETTINGS = web.AppKey("SETTINGS", Settings)
KEEPER = web.AppKey("KEEPER", CredentialKeeper)
CHAT = web.AppKey("CHAT", ChatService)
CONVERSATIONS = web.AppKey("CONVERSATIONS", Conversations)
PICTURES = web.AppKey("PICTURES", PictureFetcher)
DESCRIPTION = web.AppKey("DESCRIPTION", bytes)  # the OpenAPI document
UPSTREAM = web.AppKey("UPSTREAM", Upstream)
RESPONSES = web.AppKey("RESPONSES", Responses)
REQUEST_ID = web.RequestKey("REQUEST_ID", str)
ORIGIN = web.RequestKey("ORIGIN", str)  # of a browser page that may read the answer
AUTHORISED = web.RequestKey("AUTHORISED", bool)
