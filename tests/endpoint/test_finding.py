"""The users whose `epkit.toml` is read, and the values that a found one may have."""

import os
import stat
from pathlib import Path

import pytest

from epkit.endpoint.config import MAX_BYTES
from epkit.endpoint.finding import find_config, found_note, unread_note
from epkit.endpoint.target import resolve
from epkit.errors import UsageError

BANK = 'default = "bank"\n[endpoints.bank]\nuri = "https://host/score"\n'
STRANGER = 54_321
"""A user who does not exist on any machine of the tests."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other users")


@pytest.fixture
def project(tmp_path) -> Path:
    """A repository in a directory outside of any repository, and a directory deep inside it."""
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "repository" / "a" / "b").mkdir(parents=True)
    return tmp_path / "repository"


def refusal(directory: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        find_config(directory, environ or {})
    message = str(caught.value)
    assert 1 == len(message.splitlines())
    return message


@as_root
@pytest.mark.parametrize("where", [".", "a/b"])
def test_another_users_file_is_refused_where_it_lies_and_above(project, where):
    file = project / "epkit.toml"
    file.write_text(BANK)
    os.chown(file, STRANGER, -1)

    said = f"{file}: not read, because it belongs to user {STRANGER}: if you trust it, name it (EPKIT_CONFIG={file})"
    assert said == refusal(project / where)


@as_root
def test_a_file_in_another_users_directory_is_refused(project):
    file = project / "epkit.toml"
    file.write_text(BANK)
    os.chown(project, STRANGER, -1)

    assert f"{file}: not read, because its directory belongs to user {STRANGER}: " in refusal(project / "a")


@as_root
@pytest.mark.parametrize("given", ["link", "file"])
def test_a_link_and_what_it_leads_to_have_to_be_the_users_own(tmp_path, project, given):
    real, link = tmp_path / "real.toml", project / "epkit.toml"
    real.write_text(BANK)
    link.symlink_to(real)
    os.chown(link if given == "link" else real, STRANGER, -1, follow_symlinks=False)

    assert f"it belongs to user {STRANGER}" in refusal(project)


@as_root
def test_another_users_file_in_a_directory_for_everybody_is_refused(tmp_path):
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "mine").mkdir()
    (shared / "epkit.toml").write_text(BANK)
    os.chown(shared / "epkit.toml", STRANGER, -1)

    assert f"it belongs to user {STRANGER}" in refusal(shared / "mine")


@as_root
def test_under_sudo_the_callers_files_are_read(project):
    (project / "epkit.toml").write_text(BANK)
    os.chown(project / "epkit.toml", STRANGER, -1)
    os.chown(project, STRANGER, -1)

    assert f"it belongs to user {STRANGER}" in refusal(project, {"SUDO_UID": "54322"})
    assert "bank" == find_config(project, {"SUDO_UID": str(STRANGER)}).default


@as_root
def test_sudos_variable_opens_nothing_to_a_user_who_is_not_root(project, monkeypatch):
    (project / "epkit.toml").write_text(BANK)
    os.chown(project / "epkit.toml", STRANGER, -1)
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER + 1)

    assert f"it belongs to user {STRANGER}" in refusal(project, {"SUDO_UID": str(STRANGER)})


def test_roots_files_are_read_by_everybody(project, monkeypatch):
    (project / "epkit.toml").write_text(BANK)
    owner = project.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)

    if owner == 0:
        assert "bank" == find_config(project, {}).default
    else:
        assert "it belongs to user " in refusal(project)


@as_root
def test_a_file_that_is_named_is_read_whosever_it_is(project):
    file = project / "a" / "shared.toml"
    file.write_text(BANK + 'key_env = "BANK_KEY"\n')
    os.chown(file, STRANGER, -1)
    (project / "epkit.toml").write_text("")

    config = find_config(project, {"EPKIT_CONFIG": "a/shared.toml"})

    assert (file, False, "BANK_KEY") == (config.path, config.found, config.endpoint("bank").key_env)


@pytest.mark.parametrize(
    ("named", "why"), [("no.toml", ": no such file"), ("a", " is a directory, not a file"), ("a/x/y", ": no such file")]
)
def test_a_named_file_that_cannot_be_read_is_said(project, named, why):
    (project / "epkit.toml").write_text(BANK)

    assert f"EPKIT_CONFIG: {project / named}{why}" == refusal(project, {"EPKIT_CONFIG": named})


def test_an_empty_variable_names_no_file(project):
    (project / "epkit.toml").write_text(BANK)

    assert project / "epkit.toml" == find_config(project, {"EPKIT_CONFIG": ""}).path


@pytest.mark.parametrize("named", [False, True])
def test_a_file_without_end_is_read_to_its_bound(project, named):
    file = project / "epkit.toml"
    with file.open("wb") as opened:
        opened.truncate(1 << 40)

    said = refusal(project, {"EPKIT_CONFIG": "epkit.toml"} if named else None)

    assert f"{file}: longer than {MAX_BYTES:,} bytes: this is no epkit.toml" == said


def test_a_pipe_where_the_file_should_be_does_not_block(project):
    os.mkfifo(project / "epkit.toml")

    assert f"{project / 'epkit.toml'}: not a regular file: move it away" == refusal(project)
    assert stat.S_ISFIFO((project / "epkit.toml").stat().st_mode)


@pytest.mark.parametrize(
    ("holds", "where", "found", "outside"),
    [
        (".", ".", False, False),  # the working directory
        (".", "a/b", False, False),  # the repository's root
        ("a", "a/b", True, False),  # between them
        ("a", "a", False, False),
        ("..", ".", True, True),  # above the repository
        ("..", "a/b", True, True),
        ("..", "..", False, False),
        ("..", "../elsewhere", True, True),  # in no repository
    ],
)
def test_a_file_is_found_if_it_is_neither_here_nor_in_the_repositorys_root(project, holds, where, found, outside):
    (project / holds / "epkit.toml").resolve().write_text(BANK)
    directory = (project / where).resolve()
    directory.mkdir(exist_ok=True)

    config = find_config(directory, {})

    assert (found, outside) == (config.found, config.outside)
    spec = resolve(None, environ={}, cwd=directory)
    note = f"the target bank (https://host/score) comes from {config.path}, which was found above this directory"
    assert (note if found else None) == found_note(spec)


@pytest.mark.parametrize("line", ['key_env = "AWS_SECRET_ACCESS_KEY"', 'key_file = "~/.ssh/id_rsa"'])
@pytest.mark.parametrize("target", [None, "bank"])
def test_a_file_outside_the_project_names_no_keys(project, line, target):
    file = project.parent / "epkit.toml"
    file.write_text(BANK + line + "\n")

    with pytest.raises(UsageError) as caught:
        resolve(target, environ={"AWS_SECRET_ACCESS_KEY": "x"}, cwd=project / "a")

    key = line.partition(" ")[0]
    assert (
        f"{file}: endpoints.bank.{key}: refused, because the file is outside this project, in {file.parent}: "
        f"if you trust it, name it (EPKIT_CONFIG={file}) or run epkit there"
    ) == str(caught.value)
    assert "bank" == resolve(target, environ={}, cwd=project.parent).name
    assert "bank" == resolve(target, environ={"EPKIT_CONFIG": str(file)}, cwd=project / "a").name


def test_a_file_in_the_repository_names_keys_from_below(project):
    (project / "a" / "epkit.toml").write_text(BANK + 'key_env = "BANK_KEY"\n')

    assert "BANK_KEY" == resolve("bank", environ={}, cwd=project / "a" / "b").key_env


@as_root
def test_it_is_said_of_a_file_that_was_written_if_it_is_not_read(project):
    file = project / "epkit.toml"
    file.write_text(BANK)

    assert unread_note(file, project, {}) is None
    assert unread_note(file, project, {"EPKIT_CONFIG": "./epkit.toml"}) is None
    assert unread_note(file, project / "a", {"EPKIT_CONFIG": "../epkit.toml"}) is None
    assert f"{file} is not read, because EPKIT_CONFIG names other.toml" == unread_note(
        file, project, {"EPKIT_CONFIG": "other.toml"}
    )
    os.chown(project, STRANGER, -1)
    assert (
        f"{file} is not read, because its directory belongs to user {STRANGER}, unless EPKIT_CONFIG={file} names it"
        == unread_note(file, project, {})
    )


def test_what_needs_no_key_takes_the_place_of_an_endpoint_from_outside(project):
    (project.parent / "epkit.toml").write_text(BANK + 'key_file = "bank.key"\nbackend = "local"\n')

    spec = find_config(project, {}).endpoint("bank")

    assert ("local", project.parent / "epkit.toml", True) == (spec.backend, spec.found_in, spec.outside)
    with pytest.raises(UsageError, match="key_file: refused, because the file is outside this project"):
        spec.check_keys()
