"""How many pictures a site takes in one message (PROTOCOL 13)."""

from contextlib import suppress

from shared.models import Credentials
from shared.plugins.aipkit.probe import probe_request, takes_several_pictures
from shared.site_client.client import SiteClient
from shared.site_client.errors import SiteUnreachable

MAX_IMAGES = 4  # no plugin takes more in one message
PROBE_SECONDS = 60.0


class PictureLimit:
    """How many pictures one site takes in one message, as far as is known."""

    def __init__(self, client: SiteClient) -> None:
        self._client = client
        self._asked_of = 0.0  # the visit after which it was asked
        self.most = MAX_IMAGES

    async def learn(self, credentials: Credentials) -> None:
        """Ask once after each visit whether it takes more than one: plugins before 2.4.21 pass the rest over."""
        if self._asked_of == credentials.captured_at:
            return
        request = probe_request(credentials.ajax_url, credentials.nonce)
        with suppress(SiteUnreachable):
            reply = await self._client.ask(credentials, request, timeout=PROBE_SECONDS)
            if (several := takes_several_pictures(reply.body)) is not None:
                self._asked_of, self.most = credentials.captured_at, MAX_IMAGES if several else 1
