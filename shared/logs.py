"""Logging for both services: one format, readable or JSON, with no secret in it.

Secrets are kept out where lines are written (models hide them from `repr`); `redact` is the second net.
"""

import json
import logging
import re
import sys
from typing import Literal

_SECRETS = re.compile(
    r"(?i)(\b(?:cookie|set-cookie|authorization|x-api-key|_ajax_nonce|nonce|session_id|cache_key)\b[\"']?\s*[=:]\s*)"
    r"[\"']?(?:bearer\s+)?[^\s\"'&,}]+"
)


def redact(text: str) -> str:
    """*text* with the values of cookies, keys and nonces blotted out."""
    return _SECRETS.sub(r"\1***", text)


class _ConsoleFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)-7s {service:<9} %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _JsonFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, ensure_ascii=False, default=str))


def configure(service: str, *, level: str, style: Literal["console", "json"]) -> None:
    """Send all log lines of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(service) if style == "json" else _ConsoleFormatter(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("aiohttp.access", "apscheduler", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
