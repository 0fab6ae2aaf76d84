"""The common behaviour of all backends: one suite for this machine and both SDKs, through the real command line."""

import json
import socket
import stat
from dataclasses import fields

import pytest

from epkit.core.hosting.deployments import Deployment, Endpoint
from support.backend_hosts import Host

ENDPOINT = {field.name for field in fields(Endpoint)}
DEPLOYMENT = {field.name for field in fields(Deployment)}


def test_create_makes_an_endpoint_that_answers_and_writes_it_down(host: Host):
    ran = host.create("bank", "--enable-app-insights", "--format", "json")

    assert 0 == ran.code, ran.err
    made = json.loads(ran.out)
    assert "epkit.endpoint/1" == made["format"]
    assert ("bank", host.kind, True) == (
        made["endpoint"]["name"],
        made["endpoint"]["backend"],
        made["endpoint"]["app_insights"],
    )
    assert (200, 1) == (made["scored"]["status"], made["scored"]["rows"])
    written = host.cli.read("epkit.toml")
    assert f'uri = "{made["endpoint"]["scoring_uri"]}"' in written
    assert f'backend = "{host.kind}"' in written
    assert 'swagger = "swagger/bank.json"' in written
    assert "paths" in json.loads(host.cli.read("swagger/bank.json"))
    assert 0o600 == stat.S_IMODE(host.wrote().stat().st_mode)
    assert f"{host.key}\n" == host.wrote().read_text()


def test_an_endpoint_that_does_not_answer_is_written_down_and_no_success(host: Host):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        ran = host.create("bank", "-X", f"http://127.0.0.1:{nobody.getsockname()[1]}")

    assert 4 == ran.code
    assert ran.lines[-1].startswith("epkit: bank: it is deployed, but does not answer: http")
    assert "proxy" in ran.lines[-1]
    assert "[endpoints.bank]" in host.cli.read("epkit.toml")
    assert "swagger" not in host.cli.read("epkit.toml")
    again = host.create("bank")
    assert 6 == again.code
    assert again.lines[-1].startswith("epkit: bank: ")


def test_a_name_that_is_taken_is_refused(host: Host):
    host.seed("bank")
    ran = host.create("bank")

    assert 6 == ran.code
    assert ran.lines[-1].startswith("epkit: bank: ")


def test_a_dry_run_sends_nothing_and_writes_nothing(host: Host):
    ran = host.create("bank", "--dry-run", "--format", "json")

    assert 0 == ran.code, ran.err
    planned = json.loads(ran.out)
    assert ("epkit.plan/1", host.kind) == (planned["format"], planned["backend"])
    assert len(planned["steps"]) >= 2
    assert not (host.cli.directory / "epkit.toml").exists()
    if host.cloud is not None:
        assert [] == host.cloud.requests


def test_list_and_show_have_one_shape(host: Host):
    host.seed("bank")
    (listed,) = host.document("deploy", "list", "--backend", host.kind)["endpoints"]
    shown = host.document("deploy", "show", "bank")["endpoint"]

    assert ENDPOINT == listed.keys() == shown.keys()
    assert DEPLOYMENT == shown["deployments"][0].keys()
    assert ("bank", host.kind, "key", False) == (shown["name"], shown["backend"], shown["auth"], shown["app_insights"])
    assert ("blue", 100) == (shown["deployments"][0]["name"], shown["deployments"][0]["traffic"])
    assert shown["scoring_uri"].endswith("/score")
    assert shown["swagger_uri"].endswith("/swagger.json")


def test_a_list_without_any_is_empty(host: Host):
    assert [] == host.document("deploy", "list", "--backend", host.kind)["endpoints"]
    assert f"no endpoints ({host.kind})\n" == host.run("deploy", "list", "--backend", host.kind).out


def test_logs_enable_and_disable_turn_application_insights_on_and_off(host: Host):
    host.seed("bank")
    states = [
        host.document("logs", verb, "bank")["endpoint"]["app_insights"] for verb in ("enable", "enable", "disable")
    ]

    assert [True, True, False] == states
    assert False is host.document("deploy", "show", "bank")["endpoint"]["app_insights"]


def test_logs_show_prints_the_last_lines_and_nothing_else(host: Host):
    host.seed("bank")
    shown = host.run("logs", "show", "bank", "--tail", 2)
    document = host.document("logs", "show", "bank", "--tail", 2)
    init = host.document("logs", "show", "bank", "--init")

    assert 0 == shown.code, shown.err
    assert 2 == len(shown.out.splitlines())
    assert shown.out.splitlines() == document["lines"]
    assert [] != init["lines"] != document["lines"]


def test_the_key_is_written_to_its_file_and_shown_only_when_asked_for(host: Host):
    host.seed("bank")
    written = host.document("deploy", "keys", "bank")
    revealed = host.document("deploy", "keys", "bank", "--reveal")

    assert None is written["keys"]
    assert str(host.wrote()) == written["key_file"]
    assert 0o600 == stat.S_IMODE(host.wrote().stat().st_mode)
    assert f"{host.key}\n" == host.wrote().read_text()
    assert host.key == revealed["keys"]["primary"] != revealed["keys"]["secondary"]


def test_the_swagger_is_fetched_where_it_is_wanted(host: Host):
    host.seed("bank")
    said = host.document("deploy", "swagger", "bank", "-o", "elsewhere/contract.json")

    assert said["swagger"].endswith("elsewhere/contract.json")
    assert "/score" in json.loads(host.cli.read("elsewhere/contract.json"))["paths"]


def test_delete_takes_the_endpoint_its_entry_and_its_key(host: Host):
    host.seed("bank")
    assert host.document("deploy", "delete", "bank")["deleted"]

    assert "bank" not in host.cli.read("epkit.toml")
    assert 6 == host.run("deploy", "show", "bank", "--backend", host.kind).code


@pytest.mark.parametrize(
    "command", ["deploy show", "deploy keys", "deploy swagger", "deploy delete", "logs show", "logs enable"]
)
def test_what_is_not_there_is_told_in_one_line(host: Host, command: str):
    ran = host.run(*command.split(), "nope", "--backend", host.kind)

    assert 6 == ran.code
    assert ran.lines[-1].startswith("epkit: nope: ")
    assert "Traceback" not in ran.err
    assert "" == ran.out


def test_requests_are_shown_where_they_are_recorded(host: Host):
    host.seed("bank")
    ran = host.run("logs", "show", "bank", "--requests")

    assert 2 == ran.code
    assert "Application Insights" in ran.err
