"""Embeddings: the client's request is passed on with the server's own name of the model, and so is the answer."""

from collections.abc import Mapping
from typing import Any

from proxy.chat.offload import aside
from proxy.chat.tokens import Usage
from proxy.chat.upstream import Embedded
from proxy.upstreams.openai_server.refusals import cut_off, from_status, read_body, silent, unreachable
from proxy.upstreams.openai_server.requests import encoded
from shared.parsing import Server
from shared.plugins.answers import read_object
from shared.site_client.client import SiteClient, StreamReply
from shared.site_client.errors import SiteTimeout, SiteUnreachable

MAX_BYTES = 64 * 1024**2  # 2048 vectors of 1536 numbers as text are half of it


async def embed(
    client: SiteClient,
    server: Server,
    key: str,
    headers: Mapping[str, str],
    request: Mapping[str, Any],
    *,
    idle_timeout: float,
) -> Embedded:
    """What *server* makes of *request*. Raises `Refusal`."""
    body = encoded(request)
    url = f"{server.base_url}/embeddings"
    try:
        async with client.post_stream(url, body, headers, idle_timeout=idle_timeout) as reply:
            answer = await _read(server, reply)
    except SiteTimeout as error:
        raise silent(server.name, str(error), has_begun=False) from error
    except SiteUnreachable as error:
        raise unreachable(server.name, str(error)) from error
    if reply.status // 100 != 2:
        raise from_status(server.name, reply.status, reply.headers, read_body(answer, key))
    told = await aside(len(answer), lambda: read_object(answer))
    if not told or told.get("error"):
        raise from_status(server.name, 0, {}, read_body(answer, key))
    usage = told.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else 0
    return Embedded(answer, Usage(tokens if isinstance(tokens, int) and tokens > 0 else 0, 0))


async def _read(server: Server, reply: StreamReply) -> bytes:
    content = bytearray()
    async for piece in reply.body:
        content += piece
        if len(content) > MAX_BYTES:
            raise cut_off(server.name, f"it is larger than {MAX_BYTES} bytes", has_begun=False)
    return bytes(content)
