"""Settings from environment variables and a YAML file.

They are read at the edge (the command line and the jobs) and passed down as arguments.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from scdp_flows.errors import SettingsError, closest_first
from scdp_flows.yaml_text import problems_of, read_mapping

__all__ = ["ScdpSettings", "StoreSpec", "get_settings"]

StoreSpec = dict[str, Any]
"""A maggma store as plain data: ``type`` names the class, the rest are its arguments."""

_FILE_VARIABLE = "SCDP_CONFIG_FILE"
_DEFAULT_FILE = "~/.scdp.yaml"


class ScdpSettings(BaseSettings):
    """Say where things are stored and how much of the machine may be used.

    Every field can be set by an environment variable with the prefix ``SCDP_`` (dictionaries as
    JSON), or by its name in the YAML file that ``SCDP_CONFIG_FILE`` names (default
    ``~/.scdp.yaml``). Variables win over the file. Obtain it from ``get_settings``.
    """

    model_config = SettingsConfigDict(env_prefix="SCDP_", extra="forbid", frozen=True)

    STORE_PATH: Path = Field(
        default=Path("scdp_data"),
        description="Folder of the embedded stores, used where no other store is given.",
    )
    DENSITY_STORE: StoreSpec | None = Field(
        default=None, description="Store of the density documents; None: embedded."
    )
    MODEL_STORE: StoreSpec | None = Field(
        default=None, description="Store of the model documents; None: embedded."
    )
    REPORT_STORE: StoreSpec | None = Field(
        default=None, description="Store of evaluations and seed records; None: embedded."
    )
    BLOB_STORE: StoreSpec | None = Field(
        default=None, description="Store of grids and checkpoints; None: embedded."
    )
    CACHE_PATH: Path = Field(
        default=Path("~/.cache/scdp-flows"),
        validate_default=True,
        description="Folder of this machine for models fetched from MODEL_STORE.",
    )
    CACHE_MB: NonNegativeFloat = Field(
        default=4096.0, description="What these models may take together, MB."
    )
    STORE_WAIT_S: NonNegativeFloat = Field(
        default=300.0,
        description="How long a job waits for a database or object store that has gone away, s.",
    )
    N_PROCESSES: PositiveInt | None = Field(
        default=None, description="Largest number of worker processes; None: one per core."
    )
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="Least severe messages that are logged."
    )

    @field_validator("STORE_PATH", "CACHE_PATH")
    @classmethod
    def _expand_home(cls, path: Path) -> Path:
        """Resolve ``~``."""
        return path.expanduser()

    @field_validator("LOG_LEVEL", mode="before")
    @classmethod
    def _upper_case(cls, level: object) -> object:
        """Accept levels in any case."""
        return level.upper() if isinstance(level, str) else level

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - given by pydantic
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - given by pydantic
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments first, then environment variables, then the file."""
        return init_settings, env_settings, _FileSource(settings_cls)


class _FileSource(PydanticBaseSettingsSource):
    """Read the YAML file."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Return nothing; the file is read as a whole in ``__call__``."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the settings of the file, names in upper case."""
        named = os.environ.get(_FILE_VARIABLE)
        path = Path(named or _DEFAULT_FILE).expanduser()
        if not path.is_file():
            if named:
                raise SettingsError(
                    f"{_FILE_VARIABLE} names {path}, which is no file; create it or unset it"
                )
            return {}
        settings = {str(name).upper(): value for name, value in read_mapping(path).items()}
        for name in settings:
            if name not in ScdpSettings.model_fields:
                known = ", ".join(closest_first(name, ScdpSettings.model_fields))
                raise SettingsError(f"{path}: unknown setting {name}; known: {known}")
        return settings


def get_settings(**overrides: object) -> ScdpSettings:
    """Read the settings as they are now.

    Parameters
    ----------
    **overrides
        Settings by name that win over environment and file.

    Raises
    ------
    SettingsError
        If a setting is unknown or has an impossible value; the message names it.

    Examples
    --------
    >>> get_settings(LOG_LEVEL="debug").LOG_LEVEL
    'DEBUG'
    """
    try:
        return ScdpSettings(**overrides)  # type: ignore[arg-type] # pydantic checks them
    except ValidationError as error:
        raise SettingsError(
            f"impossible settings: {problems_of(error, with_values=True)}; correct the SCDP_ "
            "variables (dictionaries as JSON) or the settings file"
        ) from error
