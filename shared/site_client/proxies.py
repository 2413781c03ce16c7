"""The HTTP proxy that leads to a site, where the environment names one (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`)."""

from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass


class InvalidProxy(ValueError):
    """The environment names an unusable proxy. The message does not quote it, since it may hold a password."""


@dataclass(frozen=True, slots=True)
class HttpProxy:
    """Address and credentials of a proxy ("": none)."""

    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers for the proxy itself, which the site must not get."""
        if not self.user and not self.password:
            return {}
        return {"Proxy-Authorization": f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"}


def proxy_for(scheme: str, host: str, port: int) -> HttpProxy | None:
    """The proxy on the way to a site; None: there is none. Raises `InvalidProxy`.

    Loopback addresses are never asked through one, as in browsers.
    """
    variables = getproxies()
    value = variables.get(scheme) or variables.get("all")
    if not value or _is_loopback(host) or proxy_bypass(f"{host}:{port}") or _is_in(variables.get("no", ""), host):
        return None
    return parse_proxy(value)


def proxy_to(url: str) -> HttpProxy | None:
    """As `proxy_for`, for the site at *url*."""
    parts = urlsplit(url)
    return proxy_for(parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


def no_proxy_hosts() -> list[str]:
    """The hosts of NO_PROXY with their subdomains, as a bypass list for a browser."""
    names = [name.strip().lstrip(".") for name in getproxies().get("no", "").split(",")]
    return [entry for name in names if name for entry in ((name,) if name[0] == "*" else (name, f".{name}"))]


def parse_proxy(value: str) -> HttpProxy:
    """Parse the address of a proxy. Raises `InvalidProxy`."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port or 80
    except ValueError as error:
        raise InvalidProxy("the environment names an HTTP proxy whose address cannot be read") from error
    if parts.scheme != "http":
        raise InvalidProxy(f"the environment names a proxy of kind {parts.scheme}://, and only http:// can be used")
    if not host:
        raise InvalidProxy("the environment names an HTTP proxy without a host")
    return HttpProxy(host, port, unquote(parts.username or ""), unquote(parts.password or ""))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_in(names: str, host: str) -> bool:
    """Whether *host* is an address in one of the networks among *names*, as `10.0.0.0/8`."""
    with suppress(ValueError):
        address = ip_address(host)
        for name in names.split(","):
            with suppress(ValueError):
                if address in ip_network(name.strip().strip("[]"), strict=False):
                    return True
    return False
