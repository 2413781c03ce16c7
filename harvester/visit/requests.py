"""Requests of a page's scripts, and the forms in them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from urllib.parse import parse_qsl, urlsplit, urlunsplit

_MAX_FIELDS = 100


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request of a page. *status*: of the response; 0: none was seen."""

    url: str
    content_type: str = ""
    body: bytes = b""
    status: int = 0

    @property
    def address(self) -> str:
        """The URL without its query. Raises ValueError where it is none."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))

    def form(self) -> Mapping[str, str]:
        """The fields of its query and of the form in its body. Raises ValueError where they are too many."""
        query = parse_qsl(urlsplit(self.url).query, max_num_fields=_MAX_FIELDS)
        return dict(query) | _body_fields(self.content_type, self.body)


def _body_fields(content_type: str, body: bytes) -> dict[str, str]:
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=_MAX_FIELDS))
    if content_type.startswith("multipart/form-data"):
        return _multipart_fields(content_type, body)
    return {}


def _multipart_fields(content_type: str, body: bytes) -> dict[str, str]:
    message = message_from_bytes(b"Content-Type: " + content_type.encode("ascii", "replace") + b"\r\n\r\n" + body)
    fields = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(value, bytes):
            fields[name] = value.decode("utf-8", "replace")
    return fields
