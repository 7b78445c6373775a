from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from orbit_voice.server.settings import Settings, split_bind


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = Settings()
    assert settings.http_bind == "127.0.0.1:8080"
    assert settings.sip_bind == "0.0.0.0:5060"
    assert settings.rtp_port_range == (20000, 29999)
    assert settings.sqlalchemy_url.startswith("sqlite+aiosqlite:///")


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("orbit-voice.toml").write_text('http_bind = "127.0.0.1:1"\nlog_level = "error"\n')
    monkeypatch.setenv("ORBIT_HTTP_BIND", "127.0.0.1:2")
    settings = Settings()
    assert settings.http_bind == "127.0.0.1:2"
    assert settings.log_level == "error"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORBIT_HTTP_BIND", "8080"),
        ("ORBIT_SIP_BIND", "host:port"),
        ("ORBIT_RTP_PORTS", "20000"),
        ("ORBIT_RTP_PORTS", "30000-20000"),
        ("ORBIT_RTP_PORTS", "1-99999"),
        ("ORBIT_PUBLIC_ADDRESS", "not an address"),
        ("ORBIT_LOG_LEVEL", "loud"),
        ("ORBIT_MAX_CALLS", "0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = Settings(secret_key="hush", bootstrap_api_key="hush")
    assert "hush" not in repr(settings)


def test_a_bind_takes_ipv6_in_brackets() -> None:
    assert split_bind("[::1]:5060") == ("::1", 5060)
