"""Reading the environment, and `.env` without interpolating anything: a cookie may hold `$`, `${…}` or `#`.

Blanks around a value never mean anything, and one of blanks alone is none: files of `docker run --env-file` and of
systemd are not trimmed, and a key that ends in a blank could not be sent by anyone.
"""

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource

_DOLLARS = re.compile(r"\$+")


class EnvironmentSource(EnvSettingsSource):
    """pydantic-settings' environment source without the blanks around values."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return _trimmed(super()._load_env_vars())


class EnvFileSource(EnvSettingsSource):
    """pydantic-settings' environment source, fed from a file instead of the environment.

    Raises pydantic's ValidationError for a file that cannot be read.
    """

    def __init__(self, settings_cls: type[BaseSettings], path: Path) -> None:
        self._path = path
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        values = dotenv_values(stream=StringIO(self._read()), interpolate=False)
        return _trimmed({name.lower(): value for name, value in values.items()})

    def _read(self) -> str:
        try:
            return self._path.expanduser().read_text("utf-8-sig")
        except RuntimeError:
            raise self._refusal("is in nobody's home; write the whole path") from None
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return ""
        except UnicodeDecodeError:
            raise self._refusal("is not UTF-8 text; save it as UTF-8") from None
        except OSError as error:
            raise self._refusal(f"cannot be read: {error.strerror}") from error

    def _refusal(self, problem: str) -> ValidationError:
        kind = PydanticCustomError("env_file", "{path} {problem}", {"path": str(self._path), "problem": problem})
        return ValidationError.from_exception_data(
            "Settings", [{"type": kind, "loc": ("FREEAICHAT_ENV_FILE",), "input": None}]
        )


def _trimmed(values: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: text for name, value in values.items() if value and (text := value.strip())}


def undouble_dollars(cookie: str) -> str:
    """Turn `$$` into `$` when every `$` is doubled (as Compose once demanded), else leave the text alone."""
    runs = _DOLLARS.findall(cookie)
    if runs and all(len(run) % 2 == 0 for run in runs):
        return cookie.replace("$$", "$")
    return cookie
