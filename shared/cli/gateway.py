"""An HTTP client of the running proxy, with the standard library only."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from shared.cli.master_key import MasterKey
from shared.settings import Settings

CONNECT_SECONDS = 5.0
STORED_SECONDS = 15.0  # for what needs the store, which the proxy waits for some seconds itself before it says so
SILENCE_SECONDS = 300.0  # the proxy fills its silences, so that a longer one means that it hangs
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_EVENT_BYTES = 16 * 1024 * 1024  # the proxy itself takes none above 8 MiB
_READINESS = {"ready", "degraded", "unavailable"}


class GatewayError(Exception):
    """The proxy answered with an error. `status` is 0 where it came in the middle of a stream."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class NotTheProxy(GatewayError):
    """Something else answers at the proxy's address."""


class GatewayUnreachable(GatewayError):
    """No proxy answers."""

    @property
    def is_silent(self) -> bool:
        """Whether it timed out, so that something may be listening."""
        return isinstance(self.__cause__, TimeoutError)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The address of the proxy, and the key to send ("": none)."""

    host: str
    port: int
    key: str = field(default="", repr=False)

    @property
    def base_url(self) -> str:
        """The base URL for OpenAI clients."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"

    def get(self, path: str, *, timeout: float = CONNECT_SECONDS) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of *path* ({}: no JSON object). Raises `GatewayUnreachable`."""
        with self._request("GET", path, None, timeout) as response:
            return response.status, _json_object(response.read(MAX_ANSWER_BYTES))

    def fetch(self, path: str) -> dict[str, Any]:
        """The JSON object at *path*. Raises `GatewayError`."""
        status, body = self.get(path)
        if status != 200 or not body:
            raise self._error(status, body)
        return body

    def readiness(self, *, timeout: float = CONNECT_SECONDS) -> dict[str, Any]:
        """What the proxy tells at `/readyz`, of which `status` is one of `_READINESS`.

        Raises `GatewayUnreachable` and `NotTheProxy`.
        """
        status, body = self.get("/readyz", timeout=timeout)
        if body.get("status") not in _READINESS:
            raise self._not_the_proxy(status)
        return body

    def new_conversation(self) -> str:
        """Create a conversation; returns its id. Raises `GatewayError`."""
        with self._request("POST", "/v1/conversations", "{}", STORED_SECONDS) as response:
            body = _json_object(response.read(MAX_ANSWER_BYTES))
            if response.status != 200 or not body.get("id"):
                raise self._error(response.status, body)
            return str(body["id"])

    def delete_conversation(self, conversation: str) -> None:
        """Delete *conversation*; an error response is ignored. Raises `GatewayUnreachable`."""
        with self._request("DELETE", f"/v1/conversations/{conversation}", None, STORED_SECONDS):
            pass

    def stream_chat(
        self, request: dict[str, Any], read_headers: Callable[[Mapping[str, str]], object] = lambda _: None
    ) -> Iterator[dict[str, Any]]:
        """Yield the chunks of the answer to *request*, a body of chat/completions without `stream`.

        *read_headers* gets the answer's headers, names in small letters. Raises `GatewayError`, while reading too.
        """
        body = json.dumps({**request, "stream": True, "stream_options": {"include_usage": True}})
        with self._request("POST", "/v1/chat/completions", body, SILENCE_SECONDS) as response:
            if response.status != 200:
                raise self._error(response.status, _json_object(response.read(MAX_ANSWER_BYTES)))
            read_headers({name.lower(): value for name, value in response.getheaders()})
            yield from _chunks(response)

    def _error(self, status: int, body: dict[str, Any]) -> GatewayError:
        """The exception for an error response, or for one that is not the proxy's."""
        message = _error_field(body, "message")
        if not message:
            return self._not_the_proxy(status)
        return GatewayError(f"{message.rstrip('.')} (HTTP {status})", status, _error_field(body, "code"))

    def _not_the_proxy(self, status: int) -> NotTheProxy:
        return NotTheProxy(f"something else answers at {self.base_url} (HTTP {status})", status)

    @contextmanager
    def _request(self, method: str, path: str, body: str | None, timeout: float) -> Iterator[http.client.HTTPResponse]:
        headers = {"Content-Type": b"application/json"} if body else {}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}".encode()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body.encode() if body else None, headers)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise GatewayUnreachable(f"no proxy answers at {self.base_url} ({_reason(error)})") from error
        finally:
            connection.close()


def gateway_from(settings: Settings, key: MasterKey | None) -> Gateway:
    """The proxy that *settings* describe, as reached from this machine with *key*."""
    return Gateway(reachable_host(settings.hosts[0]), settings.port, key.value if key else "")


def reachable_host(host: str) -> str:
    """The address to connect to for a proxy that listens on *host*: the loopback one where it listens everywhere."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return host


def models_in(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The models in a response to `GET /v1/models`, if any: another program may be listening there."""
    data = body.get("data")
    models = data if isinstance(data, list) else []
    return [model for model in models if isinstance(model, dict) and model.get("id")]


def preferred_model(models: list[dict[str, Any]]) -> str | None:
    """The first of the proxy's *models* that the page shows, else the first of all; None where there is none."""
    ranked = sorted(models, key=lambda model: not model.get("discovered"))  # stable: the order of preference stays
    return str(ranked[0]["id"]) if ranked else None


def _chunks(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    while line := response.readline(MAX_EVENT_BYTES):
        if len(line) == MAX_EVENT_BYTES:
            raise GatewayError(f"an event of the answer has more than {MAX_EVENT_BYTES >> 20} MiB")
        if not line.startswith(b"data:"):
            continue
        data = line.removeprefix(b"data:").strip()
        if data == b"[DONE]":
            return
        event = _json_object(data)
        if not event:
            raise GatewayError("an event of the answer is no JSON object")
        if "error" in event:
            raise GatewayError(_error_field(event, "message") or "the answer failed")
        yield event
    raise GatewayError("the answer broke off before its end")


def _error_field(body: dict[str, Any], name: str) -> str:
    """The field *name* of an OpenAI error object; "" where there is none."""
    error = body.get("error")
    return str(error.get(name) or "") if isinstance(error, dict) else ""


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
