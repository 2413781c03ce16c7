"""What is asked of a site's plugin beside its chat."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode


class PluginRequest(NamedTuple):
    """What is posted."""

    url: str
    body: bytes
    headers: Mapping[str, str]


def form_request(url: str, fields: Mapping[str, str]) -> PluginRequest:
    """An urlencoded form."""
    return PluginRequest(url, urlencode(fields).encode(), {"Content-Type": "application/x-www-form-urlencoded"})
