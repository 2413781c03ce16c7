"""Reading the environment, and `.env` without interpolating anything: a cookie may hold `$`, `${…}` or `#`.

Blanks around a value never mean anything, and one of blanks alone is none: files of `docker run --env-file` and of
systemd are not trimmed, and a key that ends in a blank could not be sent by anyone.
"""

import re
from collections.abc import Mapping
from io import StringIO
from itertools import chain
from pathlib import Path

from dotenv.parser import parse_stream
from pydantic_settings import BaseSettings, EnvSettingsSource

from shared.settings import NAMES, SettingsError

_DOLLARS = re.compile(r"\$+")
_NAME = re.compile(r"\s*(?:(?:export|set)\s+)?(\w+)\s*[=:]")


class EnvironmentSource(EnvSettingsSource):
    """pydantic-settings' environment source, which strips blanks around values."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return _trimmed(super()._load_env_vars())


class EnvFileSource(EnvSettingsSource):
    """pydantic-settings' environment source, fed from a file instead of the environment.

    Raises `SettingsError` for a file that cannot be read, and for a broken line that is to set one of our variables: a
    key with a quote too few must not leave everything open. Other broken lines are ignored.
    """

    def __init__(self, settings_cls: type[BaseSettings], path: Path) -> None:
        self._path = path
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        values: dict[str, str | None] = {}
        for binding in parse_stream(StringIO(self._read())):
            if binding.error:
                self._refuse_ours(binding.original.string, binding.original.line)
            elif binding.key is not None:
                values[binding.key.lower()] = binding.value
        return _trimmed(values)

    def _refuse_ours(self, broken: str, first: int) -> None:
        """Raise `SettingsError` where a line of *broken*, which starts at line *first*, sets one of our variables."""
        names = set(chain.from_iterable(NAMES.values()))
        for number, line in enumerate(broken.splitlines(), first):
            name = match[1].upper() if (match := _NAME.match(line)) else ""
            if name in names:
                problem = (
                    f"cannot be read in line {number} ({name}): write NAME=value, where a quote that opens also closes"
                )
                raise self._refusal(problem)

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

    def _refusal(self, problem: str) -> SettingsError:
        return SettingsError(f"FREEAICHAT_ENV_FILE: {self._path} {problem}")


def _trimmed(values: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: text for name, value in values.items() if value and (text := value.strip())}


def undouble_dollars(cookie: str) -> str:
    """Turn `$$` into `$` when every `$` is doubled (as Compose once demanded), else leave the text alone."""
    dollar_runs = _DOLLARS.findall(cookie)
    if dollar_runs and all(len(run) % 2 == 0 for run in dollar_runs):
        return cookie.replace("$$", "$")
    return cookie
