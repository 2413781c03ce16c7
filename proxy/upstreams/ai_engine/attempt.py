"""One attempt at a turn with one site: its pictures, its request, and the answer as it comes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from secrets import token_hex

from proxy.chat.ask import Image
from proxy.chat.upstream import Sink
from proxy.upstreams.ai_engine.lines import LineDecoder
from proxy.upstreams.ai_engine.planning import PlannedTurn
from proxy.upstreams.ai_engine.reader import ReplyReader
from proxy.upstreams.ai_engine.refusals import from_answer, from_upload
from proxy.upstreams.ai_engine.requests import submit_request, upload_request
from proxy.upstreams.ai_engine.silence import watched_silence
from proxy.upstreams.event_decoder import EventTooLarge
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal
from shared.models import Bot, Credentials
from shared.plugins.ai_engine.routes import NONCE_HEADER, is_nonce
from shared.plugins.ai_engine.session import session_request
from shared.plugins.lenient_json import read_object, text_at
from shared.site_client.client import SiteClient, guest_headers, read_error
from shared.site_client.errors import SiteTimeout, SiteUnreachable

UPLOAD_SECONDS = 60.0


class Attempt:
    """Sends one turn and passes its answer to a sink; the protocol itself is in pure functions elsewhere.

    *begun* is called right before the first text. *files*: names of those pictures of the turn that the site has
    already, to which this adds the others.
    """

    def __init__(
        self,
        client: SiteClient,
        credentials: Credentials,
        planned: PlannedTurn,
        bot: Bot,
        *,
        files: list[str],
        sink: Sink,
        begun: Callable[[], None],
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._planned = planned
        self._bot = bot
        self._files = files
        self._sink = sink
        self._begun: Callable[[], None] | None = begun
        self._decoder = LineDecoder()
        self._nonce = ""
        self.reader = ReplyReader()

    @property
    def new_nonce(self) -> str:
        """The current nonce, if the answer holds one."""
        return self.reader.new_nonce or self._nonce

    async def run(self, idle_timeout: float, patience: float | None = None, *, is_trial: bool = False) -> None:
        """Send the turn and give its text to the sink. Raises `SiteRefusal`, and what the sink raises.

        *idle_timeout*: the longest silence; that before the first text is the model's, which may take its time.
        *patience*, where that is short: how long the site may take to start a session, which shows that it answers at
        all. In a trial it is asked to before it gets the turn, else when it has been silent for a while. In seconds.
        """
        longest = idle_timeout
        try:
            if patience and is_trial:
                longest = patience
                await self._start_session(patience)
                longest = idle_timeout
            ask = partial(self._start_session, patience) if patience and not is_trial else None
            async with watched_silence(ask) as answered:
                await self._send(idle_timeout, answered)
        except SiteTimeout as error:
            silent = f"no sign of it for {longest:g} s"
            raise SiteRefusal(RefusalKind.TIMEOUT, silent, logged=False, by_plugin=False) from error
        except SiteUnreachable as error:
            kind = RefusalKind.TRUNCATED if self.reader.has_text else RefusalKind.UNREACHABLE
            raise SiteRefusal(kind, str(error), logged=False, by_plugin=False) from error
        except EventTooLarge as error:
            raise SiteRefusal(RefusalKind.UPSTREAM, str(error), logged=False, by_plugin=False) from error
        self.reader.end()

    async def _start_session(self, patience: float) -> None:
        """Ask for what needs no model. PHP may keep requests of one of its sessions waiting for each other."""
        cookies = [each for each in self._credentials.cookie.split("; ") if not each.startswith("PHPSESSID=")]
        guest = replace(self._credentials, cookie="; ".join(cookies))
        await self._client.ask(guest, session_request(guest.ajax_url), timeout=patience)

    async def _send(self, idle_timeout: float, answered: Callable[[], None]) -> None:
        for image in self._planned.images[len(self._files) :]:
            self._files.append(await self._upload(image))
        credentials = self._credentials
        request = submit_request(self._planned, self._bot, credentials, chat_id=token_hex(5), files=self._files)
        headers = {**guest_headers(credentials), **request.headers}
        async with self._client.stream(request.url, headers, idle_timeout=idle_timeout, body=request.body) as reply:
            answered()
            nonce = reply.headers.get(NONCE_HEADER, "")
            self._nonce = nonce if is_nonce(nonce) else ""
            if reply.status != 200:
                raise from_answer(reply.status, reply.headers, await read_error(reply.body))
            while await reply.body.consume(self._take) and not self.reader.finished:
                await self._sink.ready()
        self._decoder.end()
        if (plain := bytes(self._decoder.plain)) and not self.reader.finished and not self.reader.has_text:
            answer = read_object(plain)
            if "success" not in answer:
                raise from_answer(reply.status, reply.headers, plain)
            self._give(self.reader.read_plain(answer))

    def _take(self, data: bytes) -> bool:
        """Take a piece of the body. False: the sink wants a pause, or the answer is complete."""
        texts = []
        try:
            for event in self._decoder.feed(data):
                texts.append(self.reader.read(event))
                if self.reader.finished:  # nothing belongs to the answer after its end
                    break
        finally:  # what came before a failure is given out before it is told
            wants_more = self._give("".join(texts))
        return wants_more and not self.reader.finished

    def _give(self, text: str) -> bool:
        if not text:
            return True
        if self._begun is not None:
            self._begun()
            self._begun = None
        return self._sink.text(text)

    async def _upload(self, image: Image) -> str:
        """The name under which the site keeps a picture, for a while and for everybody."""
        request = await asyncio.to_thread(upload_request, image, self._credentials, token_hex(24))  # pictures are long
        reply = await self._client.ask(self._credentials, request, timeout=UPLOAD_SECONDS)
        data = read_object(reply.body).get("data")
        name = text_at(data, "id") if isinstance(data, dict) else ""
        if not name:
            size = len(image.base64) * 3 // 4
            raise from_upload(reply.status, reply.headers, reply.body, size=size)
        return name
