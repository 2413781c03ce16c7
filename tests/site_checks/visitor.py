"""A guest who sends the requests that were recorded."""

from urllib.parse import urlencode

from tests.site import SimulatedSite
from tests.site_checks.raw import RawAnswer, get, multipart, post, urlencoded

URLENCODED = "urlencoded"  # among the headers: the form's other encoding


class Visitor:
    """One guest of the site, in one conversation unless told otherwise."""

    def __init__(self, site: SimulatedSite) -> None:
        self.site = site
        self.session_id = "f2084c36-84cb-43c9-8ed8-63aed6dddbfc"
        self.conversation = "015a0567-ad61-4623-9f8e-8c5307b40878"
        self.sent = 0

    async def store(self, text: str, bot: int = 5, *headers: str, **more: str) -> RawAnswer:
        """Step 1."""
        self.sent += 1
        fields = {
            "action": "aipkit_cache_sse_message",
            "message": text,
            "_ajax_nonce": self.site.nonce,
            "bot_id": str(bot),
            "user_client_message_id": f"aipkit-client-msg-{bot}-17953959335{self.sent:02}-vwguu",
        } | more
        form = urlencoded if URLENCODED in headers else multipart
        return await post(self.site.ajax_url, *form(fields), *(header for header in headers if header != URLENCODED))

    async def key(self, text: str = "x", bot: int = 5, **more: str) -> str:
        """The key of a stored message."""
        answer = await self.store(text, bot, **more)
        return answer.text.partition('cache_key":"')[2].partition('"')[0]

    async def stream(self, key: str, bot: int | str = 5, *headers: str, **changes: str | None) -> RawAnswer:
        """Step 2; None leaves a parameter out."""
        query = {
            "action": "aipkit_frontend_chat_stream",
            "cache_key": key,
            "bot_id": str(bot),
            "session_id": self.session_id,
            "conversation_uuid": self.conversation,
            "_ajax_nonce": self.site.nonce,
        } | changes
        sent = {name: value for name, value in query.items() if value is not None}
        return await get(f"{self.site.ajax_url}?{urlencode(sent)}", *headers)

    async def send(self, text: str, bot: int = 5, **query: str) -> RawAnswer:
        """Both steps."""
        return await self.stream(await self.key(text, bot), bot, **query)

    async def post_action(self, action: str, **fields: str) -> RawAnswer:
        """Post another action."""
        form = {"action": action, "_ajax_nonce": self.site.nonce, "session_id": self.session_id}
        return await post(self.site.ajax_url, *urlencoded(form | fields))
