"""The manual's table of the course's steps: every row runs on every backend."""

import re
import shlex
import shutil

import pytest

from support.backend_hosts import KINDS, Host
from support.places import ROOT

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("| the course's step |")[2].partition("\n\n")[0]
COLUMNS = {"azureml-v1": 2, "azureml": 3, "local": 4}
ROWS = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in TABLE.splitlines()[2:]]
IDS = [re.sub(r"[^a-z0-9]+", "-", row[1].lower()).strip("-") for row in ROWS]


def test_the_table_is_found_and_whole():
    assert set(KINDS) == COLUMNS.keys()
    assert len(ROWS) >= 14
    assert {5} == {len(row) for row in ROWS}
    assert all(row[1].startswith("`epkit ") for row in ROWS)


# The old SDK has its own tests in azure/, and shares test_backends.py.
@pytest.mark.parametrize(
    "host", ["local", "azureml", pytest.param("azureml-v1", marks=pytest.mark.long)], indirect=True
)
@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_step_of_the_course_works(host: Host, row: list[str]):
    arguments = shlex.split(row[1].strip("`"))[1:]
    supported = row[COLUMNS[host.kind]] != "–"
    if "model2" in arguments:
        assert 0 == host.create("bank").code
        shutil.copytree(host.cli.directory / "model", host.cli.directory / "model2")
    elif "create" not in arguments:
        host.seed("bank")
    if arguments[:2] in (["deploy", "create"], ["deploy", "list"]):
        arguments += ["--backend", host.kind]
    if arguments[0] in ("bench", "score") and host.cloud is not None:
        # An engine connects to the emulated cloud directly: it does not use proxies of the environment for load.
        host.cli.write("the.key", host.key)
        here = f"https://localhost:{host.cloud.direct.rpartition(':')[2]}/"
        host.cli.write("epkit.toml", re.sub(r"https://[^/]+/", here, host.cli.read("epkit.toml")))
        arguments += ["--cacert", host.cloud.cacert]
    if "--requests" in arguments and host.cloud is None:
        assert 0 == host.run("logs", "enable", "bank").code
    ran = host.run(*arguments)

    assert (0 if supported else 2) == ran.code, ran.err
    assert "Traceback" not in ran.err
    assert supported == bool(ran.out)
