"""A simulated chat site: a real HTTP server that behaves as the recorded one (PROTOCOL 1 to 11)."""

from tests.site.behaviour import Behaviour
from tests.site.bots import DEFAULT_BOTS, SiteBot
from tests.site.pages import ODD_COOKIES
from tests.site.records import Message, ModelCall, SeenRequest, StoredMessage
from tests.site.server import SimulatedSite

__all__ = [
    "DEFAULT_BOTS",
    "ODD_COOKIES",
    "Behaviour",
    "Message",
    "ModelCall",
    "SeenRequest",
    "SimulatedSite",
    "SiteBot",
    "StoredMessage",
]
