"""The output of deploy and logs: text for people, one JSON document for machines, keys only if they are given."""

import json

from epkit.core.hosting.deployments import Deployment, Endpoint, Keys, LoggedRequest
from epkit.core.http.secret import Secret
from epkit.reporters.hosting import json as as_json
from epkit.reporters.hosting import text as as_text
from support.canary import CANARY

BLUE = Deployment(
    name="blue", state="Succeeded", traffic=90, app_insights=True, model="bank:3", instance_type="Standard_DS3_v2"
)
GREEN = Deployment(
    name="green",
    state="Failed",
    traffic=10,
    model="/m",
    model_sha256="0123456789abcdef",
    model_at="2026-01-01T00:00:00Z",
)
BANK = Endpoint(
    name="bank",
    backend="azureml",
    state="Succeeded",
    scoring_uri="https://bank.example/score",
    swagger_uri="https://bank.example/swagger.json",
    auth="key",
    app_insights=None,
    compute="managed",
    workspace="ep-ws",
    error="a\nlong \x1b[31mstory",
    deployments=(BLUE, GREEN),
)
REQUEST = LoggedRequest(
    time="2026-01-01T00:00:00Z", status=500, duration_ms=3.0, success=False, name="/score", request_id="r",
    client_request_id="", reply=None,
)  # fmt: skip
KEYS = Keys(primary=Secret(CANARY), secondary=Secret("other"))

TEXT = """\
bank
  state     Succeeded: a long story
  backend   azureml, managed
  workspace ep-ws
  score     https://bank.example/score
  contract  https://bank.example/swagger.json
  auth      key
  insights  ?
  swagger   swagger/bank.json
  deployment  traffic  state      instance         insights  model
  blue        90 %     Succeeded  Standard_DS3_v2  on        bank:3
  green       10 %     Failed                      ?         0123456789ab 2026-01-01T00:00:00Z from /m
"""


def test_an_endpoint_is_a_line_a_fact():
    assert TEXT == as_text.render_endpoint(BANK, {"swagger": "swagger/bank.json", "key_file": None})


def test_a_list_is_a_table_and_an_empty_one_is_said():
    model = "0123456789ab 2026-01-01T00:00:00Z"
    expected = (
        "name  state      insights  score                       model\n"
        f"bank  Succeeded  ?         https://bank.example/score  {model}\n"
    )

    assert expected == as_text.render_endpoints("azureml", [BANK])
    assert "no endpoints (local)\n" == as_text.render_endpoints("local", [])


def test_a_plan_is_a_step_a_paragraph():
    steps = [{"step": "link the model", "from": "/m"}, {"step": "go", "traffic": {"blue": 100}}]
    expected = 'nothing is sent; local would:\n1. link the model\n   from: /m\n2. go\n   traffic: {"blue": 100}\n'

    assert expected == as_text.render_plan("local", steps)
    assert steps == json.loads(as_json.render_plan("local", steps))["steps"]


def test_keys_show_only_where_they_are_given():
    assert "the primary key is in ~/.k\n" == as_text.render_keys("~/.k", None)
    assert f"primary    {CANARY}\nsecondary  other\n" == as_text.render_keys(None, KEYS)
    assert None is json.loads(as_json.render_keys("bank", "local", "~/.k", None))["keys"]
    assert CANARY == json.loads(as_json.render_keys("bank", "local", None, KEYS))["keys"]["primary"]


def test_requests_are_a_line_each():
    expected = "time                  status  duration  path    request id\n2026-01-01T00:00:00Z  500     3 ms      /score  r\n"

    assert expected == as_text.render_requests([REQUEST])
    assert [500] == [
        each["status"] for each in json.loads(as_json.render_requests("b", "local", [REQUEST]))["requests"]
    ]


def test_every_document_names_its_format():
    documents = [
        as_json.render_endpoint(BANK, scored=None),
        as_json.render_endpoints("azureml", [BANK]),
        as_json.render_logs("bank", "local", ["a"]),
        as_json.render_done("bank", "local", deleted=True),
    ]

    assert ["epkit.endpoint/1", "epkit.endpoints/1", "epkit.logs/1", "epkit.done/1"] == [
        json.loads(document)["format"] for document in documents
    ]
