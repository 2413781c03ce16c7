"""One attempt at an answer of a server: the request, and its events as they come."""

from collections.abc import Mapping

from proxy.chat.extras import Extras
from proxy.chat.upstream import Refusal, Sink
from proxy.upstreams.event_decoder import EventDecoder, EventTooLarge, read_block
from proxy.upstreams.gate import Permit
from proxy.upstreams.openai_server.reader import ChunkReader
from proxy.upstreams.openai_server.refusals import (
    cut_off,
    from_status,
    read_body,
    read_error,
    silent,
    unreachable,
)
from shared.parsing import Server
from shared.plugins.lenient_json import read_json
from shared.site_client.client import SiteClient
from shared.site_client.client import read_error as read_error_page
from shared.site_client.errors import SiteTimeout, SiteUnreachable

_STREAM = "text/event-stream"
_DATA = b"data: "
_ERROR = b"error: "  # a field of llama.cpp's own, until late in 2025: an end mark comes after it


class Attempt:
    """Reads one answer into a sink."""

    __slots__ = (
        "_client",
        "_decoder",
        "_is_flowing",
        "_is_listed",
        "_key",
        "_permit",
        "_plain",
        "_reader",
        "_server",
        "_sink",
        "_url",
    )

    def __init__(
        self,
        client: SiteClient,
        server: Server,
        key: str,
        *,
        reader: ChunkReader,
        sink: Sink,
        permit: Permit,
        is_listed: bool,
    ) -> None:
        """*key*: redacted in errors. *is_listed*: as in `from_status`."""
        self._client = client
        self._server = server.name
        self._url = f"{server.base_url}/chat/completions"
        self._key, self._is_listed = key, is_listed
        self._reader, self._plain = reader, reader.plain
        self._sink = sink
        self._is_flowing = False  # its text has begun, and nothing is held of it
        self._permit: Permit | None = permit  # until the answer has begun
        self._decoder = EventDecoder()

    async def run(self, body: bytes, headers: Mapping[str, str], idle_timeout: float) -> None:
        """Send *body* and give the answer to the sink. Raises `Refusal`, and what the sink raises.

        *idle_timeout*: the longest silence, in seconds.
        """
        reader = self._reader
        try:
            async with self._client.stream(self._url, headers, idle_timeout=idle_timeout, body=body) as reply:
                if reply.status // 100 != 2:
                    error_body = read_body(await read_error_page(reply.body), self._key)
                    raise from_status(self._server, reply.status, reply.headers, error_body, is_listed=self._is_listed)
                while await reply.body.consume(self._take) and not reader.finished:
                    await self._sink.ready()
                if not reader.has_begun and not self._take_whole(reply.content_type):
                    await self._sink.ready()
        except SiteUnreachable as error:
            if not reader.is_whole:  # else nothing is missing but the end of the connection
                raise self._broken(error) from error
        except EventTooLarge as error:
            raise cut_off(self._server, str(error), has_begun=True) from error
        if reader.is_whole:
            for call in reader.calls:
                if not self._sink.call(call):
                    await self._sink.ready()

    def _take(self, data: bytes) -> bool:
        """Take a piece of the body. False: the sink wants a pause, or the answer is complete."""
        if self._is_flowing and (text := self._plain(data)) is not None:
            return self._sink.text(text)
        reader = self._reader
        texts: list[str] = []
        wants_more = True
        try:
            for block in self._decoder.blocks(data):
                if block.startswith(_DATA) and b"\n" not in block:
                    texts.append(reader.read(block[6:]))
                elif block.startswith(_ERROR):
                    reader.fail(block.removeprefix(_ERROR).decode("utf-8", "replace"))
                elif event := read_block(block):
                    if event.name == "error":
                        reader.fail(event.data)
                    texts.append(reader.read(event.data.encode()))
                else:  # a comment, as a sign of life
                    continue
                if reader.extras is not None:
                    before = "".join(texts)
                    texts.clear()
                    wants_more = self._give(before, reader.extras)
                if reader.finished:
                    break
        finally:  # what came before a failure is given out before it is told
            wants_more = self._give("".join(texts)) and wants_more
        self._is_flowing = self._decoder.is_between
        return wants_more and not reader.finished

    def _give(self, text: str, extras: Extras | None = None) -> bool:
        if self._permit is not None and self._reader.has_begun:  # the server is well, however this turn ends
            self._permit.answered()
            self._permit = None
        wants_more = self._sink.text(text) if text else True
        return wants_more if extras is None else self._sink.text_with_extras(extras)

    def _take_whole(self, kind: str) -> bool:
        """An answer that is no stream, whatever it is called: all of it in one object. As `_take`."""
        whole = read_json(bytes(self._decoder.pending))
        if not isinstance(whole, dict):
            if kind == _STREAM:
                return True
            raise from_status(
                self._server, 0, {}, read_error(f"{kind or 'no content type'} came instead of an event stream")
            )
        text, extras = self._reader.take(whole), self._reader.extras
        self._reader.finished = True  # its end needs no mark
        return self._give("" if extras else text, extras)

    def _broken(self, error: SiteUnreachable) -> Refusal:
        has_begun = self._reader.has_begun
        if isinstance(error, SiteTimeout):
            return silent(self._server, str(error), has_begun=has_begun)
        return cut_off(self._server, str(error), has_begun=True) if has_begun else unreachable(self._server, str(error))
