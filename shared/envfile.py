"""Reading `.env` without changing what stands in it.

A cookie may hold `$`, `${…}` or `#`. Common readers interpolate the first two; this one does not.
"""

import re
from pathlib import Path

from dotenv import dotenv_values
from pydantic_settings import BaseSettings, EnvSettingsSource

_DOLLARS = re.compile(r"\$+")


class EnvFileSource(EnvSettingsSource):
    """pydantic-settings' environment source, fed from a file instead of the environment."""

    def __init__(self, settings_cls: type[BaseSettings], path: Path) -> None:
        self._path = path
        super().__init__(settings_cls)

    def _load_env_vars(self) -> dict[str, str | None]:
        if not self._path.is_file():
            return {}
        values = dotenv_values(self._path, interpolate=False, encoding="utf-8")
        return {name.lower(): value for name, value in values.items() if value}


def undouble_dollars(cookie: str) -> str:
    """Turn `$$` into `$` when every `$` is doubled (as Compose once demanded), else leave the text alone."""
    runs = _DOLLARS.findall(cookie)
    if runs and all(len(run) % 2 == 0 for run in runs):
        return cookie.replace("$$", "$")
    return cookie
