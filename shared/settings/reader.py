"""Reading the settings with pydantic."""

import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from dataclasses import Field as Declared
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from shared.settings import NAMES, Settings, SettingsError, field_types
from shared.settings.envfile import trimmed, variables_in

_NO_SIZE = "is no size; write for example 512KiB or 32MiB"
_WORDS = {  # for pydantic's kinds of problems; its own name its methods, or the text that is wrong
    "int_parsing": "has to be a whole number",
    "byte_size": _NO_SIZE,
    "byte_size_unit": _NO_SIZE,
}


class _Base(BaseModel):
    model_config = ConfigDict(
        hide_input_in_errors=True,  # a mistyped secret must not be printed back
        arbitrary_types_allowed=True,
    )


def read(overrides: Mapping[str, Any]) -> Settings:
    """Read the settings: *overrides* before the environment, this before `env_file`. Raises `SettingsError`."""
    values = {**_values(variables_in(env_file())), **_values(trimmed(os.environ)), **overrides}
    try:
        model = _MODEL.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
    set_fields = frozenset(model.model_fields_set)
    return Settings(**{name: getattr(model, name) for name in set_fields}, set_fields=set_fields)


def env_file() -> Path:
    """The path of the `.env` file, which need not exist."""
    return Path(os.environ.get("FREEAICHAT_ENV_FILE", ".env"))


def names_in_file() -> list[str]:
    """The variables that `env_file` sets, in upper case. Raises `SettingsError`."""
    return list(variables_in(env_file()))


def _values(variables: Mapping[str, str]) -> dict[str, str]:
    """The settings that *variables* set; where several names of one are set, the first of `NAMES` counts."""
    return {
        setting: next(variables[name] for name in names if name in variables)
        for setting, names in NAMES.items()
        if not variables.keys().isdisjoint(names)
    }


def _explain(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "\n".join(f"{NAMES[str(each['loc'][0])][0]}: {_problem(each['type'], each['msg'])}" for each in problems)


def _problem(kind: str, message: str) -> str:
    """The words for a problem that pydantic found."""
    return _WORDS.get(kind) or message.removeprefix("Value error, ").replace("Input should be", "has to be")


def _field(declared: "Declared[Any]") -> Any:
    if declared.default_factory is MISSING:
        return Field(default=declared.default)
    return Field(default_factory=declared.default_factory)


def _model() -> type[BaseModel]:
    hints = get_type_hints(Settings, {"field_types": field_types}, include_extras=True)
    known = {each.name: (hints[each.name], _field(each)) for each in fields(Settings) if each.name in NAMES}
    return create_model("Settings", __base__=_Base, **known)  # type: ignore[call-overload,no-any-return]


_MODEL = _model()
