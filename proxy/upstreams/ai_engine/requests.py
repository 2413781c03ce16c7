"""The requests of a chat turn: exactly what the page would send.

The plugin lets any other key of the body override what the site's operator set: model, instructions, temperature,
limits. So the body is built from the page's own keys alone, and a client's parameters are never among them.
"""

import base64
from collections.abc import Sequence

import orjson

from proxy.chat.ask import Image
from proxy.upstreams.ai_engine.planning import PlannedTurn
from shared.models import Bot, Credentials
from shared.plugins.ai_engine.routes import JSON, NONCE_HEADER, SUBMIT, UPLOAD
from shared.plugins.requests import PluginRequest

_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}


def submit_request(
    planned: PlannedTurn, bot: Bot, credentials: Credentials, *, chat_id: str, files: Sequence[str]
) -> PluginRequest:
    """A turn. *chat_id*: a new one for each turn, since the site is to put nothing together.

    `previousResponseId` is left out: with it the site would send the model the new message alone.
    """
    body = orjson.dumps(
        {
            "botId": bot.key or None,
            "customId": bot.custom_key or None,
            "session": credentials.session_id or None,
            "chatId": chat_id,
            "contextId": credentials.post_id or None,
            "messages": [{"role": role, "content": text} for role, text in planned.history],
            "newMessage": planned.text,
            "newFileId": files[0] if len(files) == 1 else None,
            "newFileIds": list(files) if len(files) > 1 else None,
            "stream": bot.streams,
        }
    )
    headers = {"Content-Type": JSON, NONCE_HEADER: credentials.nonce}
    if bot.streams:
        headers["Accept"] = "text/event-stream"
    return PluginRequest(f"{credentials.ajax_url}{SUBMIT}", body, headers)


def upload_request(image: Image, credentials: Credentials, boundary: str) -> PluginRequest:
    """A picture, as a form. *boundary* must not occur in it."""
    ending = _ENDINGS.get(image.mime_type, "png")
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="image.{ending}"\r\n'
        f"Content-Type: {image.mime_type}\r\n\r\n"
    )
    rest = "".join(
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\nN/A' for name in ("type", "purpose")
    )
    parts = (head.encode(), base64.b64decode(image.base64), rest.encode(), f"\r\n--{boundary}--\r\n".encode())
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", NONCE_HEADER: credentials.nonce}
    return PluginRequest(f"{credentials.ajax_url}{UPLOAD}", b"".join(parts), headers)
