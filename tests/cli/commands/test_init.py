"""`epkit init`: writes a first configuration, overwrites nothing, and never writes a key."""

import json
import os
import shutil
import subprocess

import pytest

from support.canary import CANARY
from support.cli_harness import TWO_ROWS, complaint

AZURE = json.dumps({"subscription_id": "0-0", "resource_group": "rg", "workspace_name": "quick-ws"})


def test_the_next_command_works(cli, fault_server):
    ran = cli("init", fault_server.url("ok"), "--name", "bank")

    assert (0, "epkit.toml\n") == (ran.code, ran.out)
    assert ["epkit: epkit.toml: bank is the default target now; next: epkit check"] == ran.lines
    cli.write("rows.json", TWO_ROWS)
    assert 0 == cli("check", "-p", "rows.json").code
    assert fault_server.url("ok") in cli.read("epkit.toml")


def test_what_is_there_is_never_overwritten(cli):
    cli.write("epkit.toml", "mine")

    said = complaint(cli("init", "https://host/score"), 2)

    assert "epkit.toml exists already and is not overwritten: edit it, or move it away" == said
    assert "mine" == cli.read("epkit.toml")


def test_a_link_that_leads_nowhere_is_not_followed(cli):
    (cli.directory / "epkit.toml").symlink_to(cli.directory / "elsewhere")

    complaint(cli("init", "https://host/score"), 2)

    assert not (cli.directory / "elsewhere").exists()


@pytest.mark.parametrize(
    ("url", "left_out"),
    [
        (f"https://user:{CANARY}@host/score", "its password"),
        (f"https://host/score?sig={CANARY}&api-version=1", 'the value of "sig"'),
        (f"https://host/score?code={CANARY}", 'the value of "code"'),
    ],
)
def test_a_key_in_the_url_is_not_written_down(cli, url, left_out):
    """The harness also searches the file for the canary."""
    ran = cli("init", url)

    assert 0 == ran.code
    assert ran.lines[0].startswith(
        f"epkit: epkit.toml: of the URL {left_out} is left out, because files get committed: "
    )
    assert 'uri = "https://host/score' in cli.read("epkit.toml")


def test_azures_config_fills_in_the_workspace(cli):
    cli.write("azure.json", AZURE)

    ran = cli("init", "https://bank.eastus.inference.ml.azure.com/score", "azure.json")

    assert 0 == ran.code
    assert 'workspace = "quick-ws"\n' in cli.read("epkit.toml")
    assert "# Azure's workspace quick-ws, resource group rg (azure.json)\n" in cli.read("epkit.toml")
    assert "0-0" not in cli.read("epkit.toml")


def test_a_config_that_azures_sdks_would_find_is_found(cli):
    cli.write(".azureml/config.json", AZURE)
    cli.write("config.json", '{"of": "something else"}')

    ran = cli("init")

    assert "epkit: .azureml/config.json: Azure's workspace quick-ws is filled in" == ran.lines[0]
    assert "epkit: epkit.toml: fill in the uri of the endpoint, then: epkit check" == ran.lines[1]
    assert '# workspace = "quick-ws"\n' in cli.read("epkit.toml")


def test_azures_config_from_a_pipe(cli):
    ran = cli("init", "-", stdin=AZURE.encode())

    assert 0 == ran.code
    assert "(stdin)" in cli.read("epkit.toml")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["host/score"], "host/score: neither a URL nor a file: a URL begins with http:// or https://"),
        (["ftp://host/score"], '"ftp://host/score" has a scheme that is not spoken here'),
        (["not.json"], "not.json: not JSON, so not Azure's config.json"),
        (["list.json"], 'list.json: not Azure\'s config.json: it has no "workspace_name"'),
        (["."], ".: cannot be read: Is a directory"),
        (["http://a/", "http://b/"], "one URL and one Azure config.json at most"),
        (["--name", "a b"], "--name: a name has letters, digits, - and _, at most 64"),
        (["--key-env", "1"], "--key-env: not the name of an environment variable; the key itself has no place"),
        (["--key-file", "a.key", "--key-env", "A"], "--key-file and --key-env both say where the key is: keep one"),
        (["--key-file", CANARY.replace("-", "0")], "--key-file: this looks like the key itself; name the file"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_written(cli, arguments, said):
    cli.write("not.json", "[")
    cli.write("list.json", "[]")

    assert complaint(cli("init", *arguments), 2).startswith(said)
    assert not (cli.directory / "epkit.toml").exists()


def test_a_directory_that_cannot_be_written_is_said(cli, monkeypatch):
    monkeypatch.setattr("pathlib.Path.open", _denied)

    assert (
        "epkit.toml: cannot be written: permission denied: name another place, or change its permissions"
        == complaint(cli("init", "http://a/"), 2)
    )


def _denied(*_, **__):
    raise PermissionError(13, "Permission denied")


def test_another_configuration_above_is_told_of(cli):
    cli.write("epkit.toml", "")
    (cli.directory / "below").mkdir()
    inner = type(cli)(directory=cli.directory / "below")

    ran = inner("init", "http://127.0.0.1/score")

    assert f"epkit: epkit.toml: from here on it is read instead of {cli.directory / 'epkit.toml'}" == ran.lines[0]


@pytest.fixture
def repository(cli):
    """The command's directory as a git repository."""
    if shutil.which("git") is None:
        pytest.skip("needs git")

    def git(*arguments):
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", cli.directory, *who, *arguments], check=True, capture_output=True)

    git("init")
    return git


def test_a_key_file_that_git_would_take_is_warned_of(cli, repository):
    cli.write("bank.key", CANARY)
    cli.write("api_key.txt", CANARY)
    cli.write("keyboard.txt", "harmless")

    ran = cli("init", "http://127.0.0.1/score", "--key-file", "bank.key")

    ignore = f">> {cli.directory}/.gitignore"
    assert [
        f"epkit: bank.key: git would commit this key: echo /bank.key {ignore}",
        f"epkit: api_key.txt: git would commit this key: echo /api_key.txt {ignore}",
    ] == ran.lines[:2]
    assert 'key_file = "bank.key"' in cli.read("epkit.toml")


def test_a_key_file_that_git_ignores_is_not(cli, repository):
    cli.write("bank.key", CANARY)
    cli.write(".gitignore", "*.key\n")

    assert 1 == len(cli("init", "http://127.0.0.1/score", "--key-file", "bank.key").lines)


def test_a_key_that_is_committed_has_to_be_made_anew(cli, repository):
    cli.write("bank.key", CANARY)
    repository("add", ".")
    repository("commit", "-m", "x")

    ran = cli("init", "http://127.0.0.1/score")

    assert ran.lines[0].startswith("epkit: bank.key: this key is committed: git rm --cached ")
    assert ran.lines[0].endswith("then make a new key, because the history keeps this one")


def test_a_key_file_that_is_not_there_yet_is_said(cli):
    ran = cli("init", "http://127.0.0.1/score", "--key-file", "bank.key")

    assert "epkit: bank.key: does not exist yet: write the key into it, and chmod 600" == ran.lines[0]


def test_a_file_that_the_environment_keeps_from_being_read_is_said(cli):
    cli.environ["EPKIT_CONFIG"] = "other.toml"

    ran = cli("init", "http://127.0.0.1/score")

    file = cli.directory / "epkit.toml"
    assert (0, f"epkit: {file} is not read, because EPKIT_CONFIG names other.toml") == (ran.code, ran.lines[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other users")
def test_another_users_config_is_not_filled_in(cli):
    cli.write("config.json", '{"workspace_name": "theirs"}')
    os.chown(cli.directory / "config.json", 54_321, -1)

    cli("init", "http://127.0.0.1/score")

    assert "theirs" not in cli.read("epkit.toml")


def test_a_table_to_train_on_is_written_and_nothing_else(cli):
    ran = cli("init", "--sample", "bank.csv")

    assert (0, "bank.csv\n") == (ran.code, ran.out)
    assert "next: epkit train bank.csv --label y -o model" in ran.err
    assert ["bank.csv"] == [path.name for path in cli.directory.iterdir()]
    assert (cli.directory / "bank.csv").read_text().startswith("age,job,")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sample", "there.csv"], "there.csv exists already and is not overwritten: name another file"),
        (["--sample", "table.parquet"], "--sample table.parquet: the table is CSV: call the file NAME.csv"),
        (["--sample", "b.csv", "http://h/score"], "writes a table and no epkit.toml: leave http://h/score out"),
        (["--sample", "b.csv", "--name", "n"], "writes a table and no epkit.toml: leave --name out"),
        (["--sample", "missing/b.csv"], "missing/b.csv"),
    ],
)
def test_a_sample_that_cannot_be_written_is_refused_in_a_line(cli, arguments, words):
    (cli.directory / "there.csv").write_text("mine")
    ran = cli("init", *arguments)

    assert words in complaint(ran, 2)
    assert "mine" == (cli.directory / "there.csv").read_text()
