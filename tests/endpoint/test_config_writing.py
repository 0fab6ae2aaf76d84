"""Endpoints are written to `epkit.toml`, and nothing else in it changes."""

from pathlib import Path

import pytest

from epkit.endpoint.config_writing import home_relative, place, remove_entry, write_entry
from epkit.endpoint.finding import find_config
from epkit.errors import UsageError

MINE = """\
# who changes this tells Eva
default = "prod"   # not test

[endpoints.prod]
uri     = "https://prod.example/score"
timeout = 5        # seconds
headers = { "x-team" = "risk" }
"""
ENTRY = {"uri": "http://127.0.0.1:1/score", "auth": "key", "key_file": "~/.k", "backend": "local", "service": None}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "epkit.toml"
    path.write_text(MINE)
    return path


def test_a_new_endpoint_is_appended_and_all_else_stays(file: Path):
    write_entry(file, "bank", ENTRY)

    assert file.read_text().startswith(MINE)
    config = find_config(file.parent, {})
    assert config is not None
    assert "local" == config.endpoints["bank"].backend


def test_writing_and_removing_restores_the_file(file: Path):
    write_entry(file, "bank", ENTRY)
    remove_entry(file, "bank")

    assert MINE == file.read_text()


def test_a_known_endpoint_is_changed_in_its_place(file: Path):
    write_entry(file, "prod", {"uri": "https://new.example/score", "timeout": None, "backend": "azureml"})

    expected = MINE.replace("prod.example", "new.example").replace("timeout = 5        # seconds\n", "")
    assert expected + 'backend = "azureml"\n' == file.read_text()


def test_the_default_goes_with_its_endpoint(file: Path):
    remove_entry(file, "prod")

    assert "default" not in file.read_text()
    assert "# who changes this tells Eva" in file.read_text()


def test_a_file_is_made_where_there_is_none(tmp_path: Path):
    path = tmp_path / "epkit.toml"
    write_entry(path, "a.b", ENTRY)

    assert path.read_text().startswith('[endpoints."a.b"]\nuri = ')
    remove_entry(path, "nobody")


@pytest.mark.parametrize("content", [b"[x", b"\xff\xfe", b'default = "nobody"'])
def test_a_file_that_is_wrong_is_not_touched(file: Path, content: bytes):
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"epkit\.toml"):
        write_entry(file, "bank", ENTRY)

    assert content == file.read_bytes()
    assert [file] == list(file.parent.iterdir())


def test_the_mode_of_the_file_stays(file: Path):
    file.chmod(0o640)
    write_entry(file, "bank", ENTRY)

    assert 0o640 == file.stat().st_mode & 0o777


def test_a_path_below_home_is_written_so():
    assert "~/k/x.key" == home_relative(Path("/u/me/k/x.key"), {"HOME": "/u/me"})
    assert "/other/x.key" == home_relative(Path("/other/x.key"), {"HOME": "/u/me"})
    assert "/u/x.key" == home_relative(Path("/u/x.key"), {})


def test_what_is_written_goes_into_the_projects_file(tmp_path):
    file, below = tmp_path / "epkit.toml", tmp_path / "below"
    below.mkdir()
    file.write_text(MINE)

    assert file == place(find_config(tmp_path, {}), tmp_path)
    assert file == place(find_config(below, {"EPKIT_CONFIG": str(file)}), below)
    assert below / "epkit.toml" == place(find_config(below, {}), below)
    (tmp_path / ".git").mkdir()
    assert file == place(find_config(below, {}), below)
    assert below / "epkit.toml" == place(None, below)


def test_a_published_pipeline_is_written_and_taken_out_again(file: Path):
    write_entry(file, "bank", {"url": "http://127.0.0.1:1/jobs", "backend": "local", "key_file": "~/.k"}, "published")

    config = find_config(file.parent, {})
    assert config is not None
    assert ["prod"] == list(config.endpoints)
    spec = config.publication("bank")
    assert spec is not None
    assert ("local", "key") == (spec.backend, spec.auth)
    assert config.publication("other") is None

    remove_entry(file, "bank", "published")

    assert MINE == file.read_text()
