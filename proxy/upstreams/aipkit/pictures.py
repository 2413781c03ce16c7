"""Which pictures of a conversation a turn sends (PROTOCOL 8), and how many of them the site takes (PROTOCOL 13)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from proxy.chat.ask import Image
from shared.conversations import Message
from shared.models import Credentials
from shared.plugins.aipkit.probe import probe_form, takes_several_pictures
from shared.site_client.client import SiteClient, form_body, visitor_headers
from shared.site_client.errors import SiteUnreachable

MAX_IMAGES = 4  # no plugin takes more in one message
PROBE_SECONDS = 60.0


def to_send(messages: Sequence[Message], images: Mapping[str, Image], *, most: int) -> tuple[tuple[Image, ...], int]:
    """The newest pictures that came with *messages*, oldest first, *most* of them; and how many are left out."""
    if not images:
        return (), 0
    newest = (name for message in reversed(messages) for name in reversed(message.images))
    found = [image for name in newest if (image := images.get(name))]
    return tuple(reversed(found[:most])), len(found[most:])


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
        content_type, body = form_body(probe_form(credentials.nonce))
        headers = {**visitor_headers(credentials), "Content-Type": content_type}
        with suppress(SiteUnreachable):
            reply = await self._client.post(credentials.ajax_url, body, headers, timeout=PROBE_SECONDS)
            if (several := takes_several_pictures(reply.body)) is not None:
                self._asked_of, self.most = credentials.captured_at, MAX_IMAGES if several else 1
