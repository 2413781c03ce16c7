"""Requests to a plugin other than chat messages."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode


class PluginRequest(NamedTuple):
    """A POST request."""

    url: str
    body: bytes
    headers: Mapping[str, str]


def form_request(url: str, fields: Mapping[str, str]) -> PluginRequest:
    """A POST of an urlencoded form."""
    return PluginRequest(url, urlencode(fields).encode(), {"Content-Type": "application/x-www-form-urlencoded"})
