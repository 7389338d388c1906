"""What a worker may be configured with."""

from pathlib import Path

import pytest

from broadcast_telegram.settings import WorkerSettings, load


def test_a_mounted_folder_holds_the_accounts_of_a_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "BROADCAST_ACCOUNTS").write_text('{"main": {"token": "1:a", "rate": 100}}\n')
    monkeypatch.setenv("BROADCAST_SETTINGS_DIR", str(tmp_path))
    assert load(WorkerSettings).accounts["main"].rate == 100


def test_a_folder_that_is_not_mounted_ends_the_start_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROADCAST_SETTINGS_DIR", "/nowhere")
    with pytest.raises(SystemExit, match="BROADCAST_SETTINGS_DIR: there is no folder /nowhere"):
        load(WorkerSettings)
