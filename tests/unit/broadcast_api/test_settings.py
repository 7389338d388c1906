"""What may be configured, and how a mistake is told."""

import os
from pathlib import Path

import pytest

from broadcast_api.settings import BadSettings, read_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BROADCAST_")]:
        monkeypatch.delenv(name)


def test_without_any_variable_one_bot_and_two_sqlite_files_are_used() -> None:
    settings = read_settings()
    assert settings.bots == ("main",)
    assert settings.database_url.startswith("sqlite:///")
    assert settings.event_store.startswith("sqlite:///")


def test_a_mounted_folder_holds_a_file_for_each_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "BROADCAST_BOTS").write_text("main,hr\n")
    (tmp_path / "BROADCAST_EVENT_STORE").write_text("sqlite:///elsewhere.db\n")
    monkeypatch.setenv("BROADCAST_SETTINGS_DIR", str(tmp_path))
    settings = read_settings()
    assert (settings.bots, settings.event_store) == (("main", "hr"), "sqlite:///elsewhere.db")


def test_one_postgresql_address_serves_both_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "postgresql://app:secret@db-rw:5432/app"
    monkeypatch.setenv("BROADCAST_DATABASE_URL", address)
    monkeypatch.setenv("BROADCAST_EVENT_STORE", address)
    settings = read_settings()
    assert settings.database_url == address.replace("postgresql://", "postgresql+psycopg://")
    assert settings.event_store == address


def test_bots_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROADCAST_BOTS", "main, hr")
    assert read_settings().bots == ("main", "hr")


def test_variables_of_the_workers_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROADCAST_TELEGRAM_URL", "http://x")
    read_settings()


def test_each_bot_may_have_a_door_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tokens = '{"main": {"token": "1:abc"}, "hr": {"secret": "0123456789abcdef"}}'
    monkeypatch.setenv("BROADCAST_BOTS", "main,hr,other")
    monkeypatch.setenv("BROADCAST_DOOR", "main=polling, hr=webhook")
    monkeypatch.setenv("BROADCAST_DOOR_TOKENS", tokens)
    settings = read_settings()
    assert (list(settings.doors("polling")), list(settings.doors("webhook"))) == (["main"], ["hr"])
    monkeypatch.delenv("BROADCAST_DOOR_TOKENS")
    (tmp_path / "tokens").write_text(tokens)
    monkeypatch.setenv("BROADCAST_DOOR_TOKENS_FILE", str(tmp_path / "tokens"))
    assert read_settings().doors("polling")["main"].token.get_secret_value() == "1:abc"


@pytest.mark.parametrize(
    ("door", "tokens", "why"),
    [
        ("polling", "", "polling needs the token of main"),
        ("webhook", '{"main": {"token": "1:SECRET"}}', "needs a secret"),
        ("webhook", '{"main": {"secret": "SECRET"}}', "needs a secret"),
        ("hr=off", "", "no bot 'hr'"),
        ("sometimes", "", "BROADCAST_DOOR"),
        ("polling", "{SECRET", "BROADCAST_DOOR_TOKENS"),
        ("polling", '{"main": "SECRET"}', "BROADCAST_DOOR_TOKENS"),
    ],
)
def test_a_door_without_what_it_needs_is_told_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, door: str, tokens: str, why: str
) -> None:
    monkeypatch.setenv("BROADCAST_DOOR", door)
    if tokens:
        monkeypatch.setenv("BROADCAST_DOOR_TOKENS", tokens)
    with pytest.raises(BadSettings) as refused:
        read_settings()
    assert why in str(refused.value)
    assert "SECRET" not in str(refused.value).replace("DOOR_TOKENS", "")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BROADCAST_BATCH_SIZE", "0"),
        ("BROADCAST_BATCH_SIZE", "many"),
        ("BROADCAST_PORT", "70000"),
        ("BROADCAST_BOTS", "Main Bot"),
        ("BROADCAST_BOTS", ""),
        ("BROADCAST_BOTS", "a,a"),
        ("BROADCAST_DATABASE_URL", "mysql://x"),
        ("BROADCAST_DATABASE_URL", "postgresql+pg8000://x"),
        ("BROADCAST_EVENT_STORE", "redis://x"),
        ("BROADCAST_EVENT_STORE", "postgresql://u@h/d?sslmode=require"),
        ("BROADCAST_LOG_LEVEL", "loud"),
        ("BROADCAST_SWEEP_SECONDS", "-1"),
        ("BROADCAST_NATS_REPLICAS", "0"),
        ("BROADCAST_SETTINGS_DIR", "/nowhere"),
    ],
)
def test_a_bad_value_is_told_in_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSettings) as told:
        read_settings()
    assert str(told.value).startswith(variable)
    assert "\n" not in str(told.value)
