"""Settings: ``orbit-voice.toml`` and the environment (``ORBIT_…``, which wins).

The names are fixed: other people's scripts use them.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

CONFIGURATION_FILE: Final = "orbit-voice.toml"
_FIRST_UNPRIVILEGED_PORT: Final = 1024
_LAST_PORT: Final = 65535


class Settings(BaseSettings):
    """Everything an operator can set.

    Attributes:
        data_dir: Database, recordings, prompts and keys live here.
        database_url: SQLAlchemy URL; empty: SQLite in the data directory.
        http_bind: ``host:port`` of the REST API.
        sip_bind: ``host:port`` of SIP, UDP and TCP.
        public_address: Address peers reach us at; empty: the one a packet would leave from.
        rtp_ports: First and last UDP port of media, ``first-last``.
        secret_key: Seals trunk passwords; empty: a key file in the data directory.
        bootstrap_api_key: A key to accept from the first start on.
        webhook_allow: Hosts or CIDRs the webhook guard lets through, comma-separated.
        max_calls: Calls carried at once; more are refused with 503.
        media_timeout_s: Silence on RTP that ends an answered call, seconds; 0: never.
        drain_timeout_s: How long calls may go on after the server was asked to stop, seconds.
        media_shards: Threads of the media engine; 0: one per core but one.
    """

    model_config = SettingsConfigDict(
        env_prefix="ORBIT_", toml_file=CONFIGURATION_FILE, extra="ignore", frozen=True
    )

    data_dir: Path = Path("orbit-data")
    database_url: str = ""
    http_bind: str = "127.0.0.1:8080"
    sip_bind: str = "0.0.0.0:5060"
    public_address: str = ""
    rtp_ports: str = "20000-29999"
    secret_key: SecretStr = SecretStr("")
    bootstrap_api_key: SecretStr = SecretStr("")
    webhook_allow: str = ""
    log_level: str = "info"
    max_calls: int = Field(default=2000, ge=1, le=100_000)
    media_timeout_s: float = Field(default=60.0, ge=0.0, le=86400.0)
    drain_timeout_s: float = Field(default=30.0, ge=0.0, le=86400.0)
    media_shards: int = Field(default=0, ge=0, le=256)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, which wins over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator("http_bind", "sip_bind")
    @classmethod
    def _is_host_and_port(cls, value: str) -> str:
        split_bind(value)
        return value

    @field_validator("public_address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            ipaddress.ip_address(value)
        return value

    @field_validator("log_level")
    @classmethod
    def _is_level(cls, value: str) -> str:
        if value.lower() not in {"debug", "info", "warning", "error"}:
            raise ValueError("use debug, info, warning or error")
        return value.lower()

    @model_validator(mode="after")
    def _ports_make_sense(self) -> Self:
        first, last = self.rtp_port_range
        if not _FIRST_UNPRIVILEGED_PORT <= first < last <= _LAST_PORT:
            raise ValueError(
                f"ORBIT_RTP_PORTS must be first-last within {_FIRST_UNPRIVILEGED_PORT}-"
                f"{_LAST_PORT}, for example 20000-29999"
            )
        return self

    @property
    def rtp_port_range(self) -> tuple[int, int]:
        """First and last UDP port of media, both included."""
        first, dash, last = self.rtp_ports.partition("-")
        if not (dash and first.isdigit() and last.isdigit()):
            raise ValueError("ORBIT_RTP_PORTS must be first-last, for example 20000-29999")
        return int(first), int(last)

    @property
    def sqlalchemy_url(self) -> str:
        """Where the database is."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'orbit.sqlite3'}"

    @property
    def webhook_allow_list(self) -> tuple[str, ...]:
        """Hosts and CIDRs that webhooks may reach although they are not public."""
        return tuple(entry.strip() for entry in self.webhook_allow.split(",") if entry.strip())


def split_bind(bind: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[v6]:port``.

    Raises:
        ValueError: It is neither.
    """
    host, colon, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or int(port) > _LAST_PORT:
        raise ValueError(f"{bind!r} is not host:port, for example 127.0.0.1:8080")
    return host, int(port)
