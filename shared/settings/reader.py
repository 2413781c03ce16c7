"""Reading the settings with pydantic-settings."""

import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from dataclasses import Field as Declared
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import AliasChoices, Field, ValidationError, create_model
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.settings import NAMES, PREFIX, Settings, SettingsError, field_types
from shared.settings.envfile import EnvFileSource, EnvironmentSource


class _Sources(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a mistyped secret must not be printed back
        arbitrary_types_allowed=True,
        enable_decoding=False,  # lists and pairs have notations of their own, not JSON
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before `.env`, both read by sources of our own."""
        return init_settings, EnvironmentSource(settings_cls), EnvFileSource(settings_cls, env_file())


def read(overrides: Mapping[str, Any]) -> Settings:
    """Read the settings; *overrides* take precedence. Raises `SettingsError`."""
    try:
        model = _MODEL(**overrides)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
    set_fields = frozenset(model.model_fields_set)
    return Settings(**{name: getattr(model, name) for name in set_fields}, set_fields=set_fields)


def env_file() -> Path:
    """The path of the `.env` file, which need not exist."""
    return Path(os.environ.get("FREEAICHAT_ENV_FILE", ".env"))


def names_in_file() -> list[str]:
    """The variables that `env_file` sets, in upper case. Raises `SettingsError`."""
    return [name.upper() for name in EnvFileSource(_MODEL, env_file()).env_vars]


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        shown = name if name.isupper() else f"{PREFIX}{name.upper()}"
        lines.append(f"{shown}: {problem['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)


def _field(declared: "Declared[Any]") -> Any:
    alias = AliasChoices(*NAMES[declared.name])
    if declared.default_factory is MISSING:
        return Field(default=declared.default, validation_alias=alias)
    return Field(default_factory=declared.default_factory, validation_alias=alias)


def _model() -> type[BaseSettings]:
    hints = get_type_hints(Settings, {"field_types": field_types}, include_extras=True)
    known = {each.name: (hints[each.name], _field(each)) for each in fields(Settings) if each.name in NAMES}
    return create_model("Settings", __base__=_Sources, **known)  # type: ignore[call-overload,no-any-return]


_MODEL = _model()
