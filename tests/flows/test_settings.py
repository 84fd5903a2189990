from __future__ import annotations

import json
from pathlib import Path

import pytest

from scdp_flows.errors import SettingsError
from scdp_flows.settings import get_settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty settings file that is in use, and no variables."""
    path = tmp_path / "settings.yaml"
    path.write_text("", encoding="utf-8")
    monkeypatch.setenv("SCDP_CONFIG_FILE", str(path))
    monkeypatch.delenv("SCDP_STORE_PATH", raising=False)
    return path


def test_defaults_are_embedded_stores_in_the_working_folder(file: Path) -> None:
    settings = get_settings()
    assert settings.STORE_PATH == Path("scdp_data")
    assert settings.DENSITY_STORE is None
    assert settings.N_PROCESSES is None


def test_the_file_is_read_in_any_case(file: Path) -> None:
    file.write_text("store_path: /data\nN_PROCESSES: 4\nMODEL_STORE: {type: MemoryStore}\n")
    settings = get_settings()
    assert (settings.STORE_PATH, settings.N_PROCESSES) == (Path("/data"), 4)
    assert settings.MODEL_STORE == {"type": "MemoryStore"}


def test_arguments_win_over_variables_and_these_over_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("LOG_LEVEL: ERROR\nN_PROCESSES: 2\nSTORE_PATH: /a\n")
    monkeypatch.setenv("SCDP_N_PROCESSES", "3")
    monkeypatch.setenv("SCDP_LOG_LEVEL", "debug")
    settings = get_settings(LOG_LEVEL="warning")
    assert (settings.LOG_LEVEL, settings.N_PROCESSES) == ("WARNING", 3)
    assert settings.STORE_PATH == Path("/a")


def test_stores_are_json_in_variables(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"type": "MongoStore", "port": 27017}
    monkeypatch.setenv("SCDP_DENSITY_STORE", json.dumps(spec))
    assert get_settings().DENSITY_STORE == spec


def test_the_default_file_lies_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCDP_CONFIG_FILE")
    monkeypatch.delenv("SCDP_STORE_PATH")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert get_settings().STORE_PATH == Path("scdp_data")
    (tmp_path / ".scdp.yaml").write_text("STORE_PATH: ~/densities\n")
    assert get_settings().STORE_PATH == tmp_path / "densities"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("STORE_PAHT: /a\n", "unknown setting STORE_PAHT; known: STORE_PATH"),
        ("- a\n- b\n", "holds a list"),
        ("a: b: c\n", "is no YAML"),
        ("N_PROCESSES: 0\n", "N_PROCESSES=0"),
        ("LOG_LEVEL: loud\n", "LOG_LEVEL='LOUD'"),
        ("DENSITY_STORE: mongo\n", "DENSITY_STORE='mongo'"),
    ],
)
def test_wrong_files_are_refused(file: Path, text: str, message: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        get_settings()


def test_a_named_file_must_exist(file: Path) -> None:
    file.unlink()
    with pytest.raises(SettingsError, match="which is no file"):
        get_settings()


def test_wrong_variables_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCDP_N_PROCESSES", "many")
    with pytest.raises(SettingsError, match="N_PROCESSES='many'"):
        get_settings()


def test_unknown_arguments_are_refused(file: Path) -> None:
    with pytest.raises(SettingsError, match="N_CORES"):
        get_settings(N_CORES=3)
