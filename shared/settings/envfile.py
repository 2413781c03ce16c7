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

from shared.settings import NAMES, PREFIX, SettingsError

# What a line is to set. Where no sign follows, only a name with our prefix counts: `Port of …` may begin a sentence.
_NAME = re.compile(rf"\s*(?:(?:export|set)\s+)?({PREFIX}\w+|\w+(?=\s*[=:]))", re.IGNORECASE)


def variables_in(path: Path) -> dict[str, str]:
    """The variables that the file sets, their names in upper case; none where there is no file.

    Raises `SettingsError` for a file that cannot be read, and for a broken line that is to set one of our variables: a
    key with a quote too few must not leave everything open. Other broken lines are ignored.
    """
    values: dict[str, str | None] = {}
    for binding in parse_stream(StringIO(_read(path))):
        if binding.error:
            _refuse_ours(path, binding.original.string, binding.original.line)
        elif binding.key is not None:
            values[binding.key] = binding.value
    return trimmed(values)


def trimmed(variables: Mapping[str, str | None]) -> dict[str, str]:
    """*variables* with their names in upper case and without blanks around the values; empty ones are left out."""
    return {name.upper(): text for name, value in variables.items() if value and (text := value.strip())}


def _refuse_ours(path: Path, broken: str, first: int) -> None:
    """Raise `SettingsError` where a line of *broken*, which starts at line *first*, sets one of our variables."""
    names = set(chain.from_iterable(NAMES.values()))
    for number, line in enumerate(broken.splitlines(), first):
        name = match[1].upper() if (match := _NAME.match(line)) else ""
        if name in names:
            problem = (
                f"cannot be read in line {number} ({name}): write NAME=value, where a quote that opens also closes"
            )
            raise _refusal(path, problem)


def _read(path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8-sig")
    except RuntimeError:
        raise _refusal(path, "is in nobody's home; write the whole path") from None
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    except UnicodeDecodeError:
        raise _refusal(path, "is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise _refusal(path, f"cannot be read: {error.strerror}") from error


def _refusal(path: Path, problem: str) -> SettingsError:
    return SettingsError(f"FREEAICHAT_ENV_FILE: {path} {problem}")
