"""Diagnosis of why a site cannot be reached, from the exception."""

import asyncio
import errno
import socket
import ssl
from enum import StrEnum
from urllib.parse import urlsplit

from shared.site_client.connecting import connect
from shared.site_client.errors import SiteTimeout, SiteUnreachable
from shared.site_client.proxies import InvalidProxy, proxy_to

PROBE_SECONDS = 5.0
_NO_WAY = {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}
_CLOSED_WAY = {errno.EHOSTUNREACH, errno.EACCES, errno.EPERM}  # what a rejecting firewall causes


class Obstacle(StrEnum):
    """The kind of problem."""

    DNS = "DNS"
    REFUSED = "refused"
    TLS = "TLS"
    PROXY = "proxy"
    FIREWALL = "firewall"
    NETWORK = "network"
    SITE = "site"


_MENDS = {
    Obstacle.DNS: "check the name in {setting}, and that this machine has a name server: `getent hosts NAME`",
    Obstacle.REFUSED: "nothing listens at that address: check host and port in {setting}, or start it if it is yours",
    Obstacle.TLS: "check this machine's clock, and {setting}: its host, and http:// where no TLS is spoken; where a "
    "company reads its traffic, add its authority (SSL_CERT_FILE)",
    Obstacle.PROXY: "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and that the proxy runs and lets this machine through",
    Obstacle.FIREWALL: "a firewall or filter on the way drops or cuts the connection: try another network, or ask for "
    "it to be let through",
    Obstacle.NETWORK: "this machine has no way out: check its network and routes",
    Obstacle.SITE: "it is reached, but does not answer as it should: try again later, or open it in a browser",
}


def what_to_do(kind: Obstacle, setting: str) -> str:
    """What to do about it. *setting*: names the address. Pure."""
    return _MENDS[kind].format(setting=setting)


async def diagnose(error: SiteUnreachable, url: str) -> Obstacle:
    """Why *url* cannot be reached; after a timeout a connection is tried."""
    is_silent = isinstance(error, SiteTimeout) and not await _connects(url)
    return classify(error, is_silent=is_silent)


def classify(error: SiteUnreachable, *, is_silent: bool = False) -> Obstacle:
    """Classify *error*. *is_silent*: connecting timed out, too. Pure."""
    cause = error.__cause__
    if isinstance(cause, InvalidProxy) or "HTTP proxy" in str(error):
        return Obstacle.PROXY
    if isinstance(cause, socket.gaierror):
        return Obstacle.DNS
    if isinstance(cause, ssl.SSLError):
        return Obstacle.TLS
    if isinstance(cause, ConnectionRefusedError):
        return Obstacle.REFUSED
    number = cause.errno if isinstance(cause, OSError) else None
    if number in _NO_WAY:
        return Obstacle.NETWORK
    is_cut = isinstance(cause, ConnectionError) or str(error).startswith("closed without")
    return Obstacle.FIREWALL if is_silent or is_cut or number in _CLOSED_WAY else Obstacle.SITE


async def _connects(url: str) -> bool:
    """Whether a connection to the site, or to the HTTP proxy on the way, can be made."""
    parts = urlsplit(url)
    proxy = proxy_to(url)
    host, port = (proxy.host, proxy.port) if proxy else (parts.hostname or "", parts.port)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            made = await connect(host, port or (443 if parts.scheme == "https" else 80))
    except OSError:
        return False
    made.close()
    return True
