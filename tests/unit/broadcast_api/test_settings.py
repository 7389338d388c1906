"""What may be configured, and how a mistake is told."""

import os

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


def test_bots_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROADCAST_BOTS", "main, hr")
    assert read_settings().bots == ("main", "hr")


def test_variables_of_the_workers_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROADCAST_TELEGRAM_URL", "http://x")
    read_settings()


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
        ("BROADCAST_DATABASE_URL", "postgresql://x"),
        ("BROADCAST_EVENT_STORE", "redis://x"),
        ("BROADCAST_EVENT_STORE", "postgresql://u@h/d?sslmode=require"),
        ("BROADCAST_LOG_LEVEL", "loud"),
        ("BROADCAST_SWEEP_SECONDS", "-1"),
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
