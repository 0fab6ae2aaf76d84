"""How a build server interprets the output of a command: no text from outside may act as a command for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.cli.build_server import defused, defused_bytes, listens
from support.build_servers import commands_in
from support.predict_server import Answer, PredictServer

VSO = "##vso[task.setvariable variable=PATH]/tmp"
OUTSIDE = f"::set-output name=x::y {VSO} ##[error]no\n::error::bad\r \t::add-mask::a"


@pytest.fixture(params=["GITHUB_ACTIONS", "TF_BUILD"])
def job(request, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("TF_BUILD", raising=False)
    value = {"GITHUB_ACTIONS": "true", "TF_BUILD": "True"}[request.param]
    monkeypatch.setenv(request.param, value)
    if "cli" in request.fixturenames:  # which has its own environment
        request.getfixturevalue("cli").environ[request.param] = value
    return request.param


def test_elsewhere_a_text_is_printed_as_it_is(monkeypatch):
    for name in ("GITHUB_ACTIONS", "TF_BUILD"):
        monkeypatch.setenv(name, "false")

    assert not listens()
    assert OUTSIDE == defused(OUTSIDE)
    assert OUTSIDE.encode() == defused_bytes(OUTSIDE.encode())


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("::error::a", r"\u003a:error::a"),
        ("a\n \t::error file=b::a\n", "a\n \t\\u003a:error file=b::a\n"),
        ("a\r::debug::a", "a\r\\u003a:debug::a"),
        ("\ufeff::debug::a", "\ufeff\\u003a:debug::a"),
        ("a ::error::b, std::vector", "a ::error::b, std::vector"),
        ("a ##[error]b", r"a \u0023#[error]b"),
        ("##vso[task.complete]", r"\u0023#vso[task.complete]"),
        ("##VSO[task.complete]", r"\u0023#VSO[task.complete]"),
        ("###[group]a", r"#\u0023#[group]a"),
        ("## heading\n### another", "## heading\n### another"),
    ],
)
def test_the_beginning_of_a_command_is_broken_where_a_runner_looks_for_it(job, text, printed):
    assert printed == defused(text)
    assert [] == commands_in(printed)


PIECES = st.sampled_from(
    ["::", ":", "#", "##", "[", "]", "vso", "VSO", "error", " ", "\t", "\n", "\r", "\u200b", "\x00", "\xa0"]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_no_text_is_a_command(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_ACTIONS", "true")

        assert [] == commands_in(defused(text))
        assert text == json.loads(defused_bytes(json.dumps(text, ensure_ascii=False).encode()))
        assert [] == commands_in(defused(json.dumps({"a": [text]}, ensure_ascii=False, indent=1)))


def test_a_long_text_takes_linear_time(job):
    text = ("\n" * 20_000) + ("\x00 \x85" * 20_000) + ("#" * 40_000) + ("##" + "a" * 60) * 5_000

    assert text == defused(text)


@pytest.fixture
def mean():
    """A server whose refusals and predictions contain a runner's commands, as requested."""
    with PredictServer(lambda *_: Answer(status=400, body=json.dumps({"message": OUTSIDE}).encode())) as server:
        yield server


@pytest.mark.parametrize("format_", ["text", "json", "markdown", "ab"])
def test_a_refusal_by_the_server_is_no_command(cli, rows, job, mean, format_):
    ran = cli("bench", "--no-validate", "-n", 2, "-v", 2, "-p", rows, "--format", format_, mean.url)

    assert 4 == ran.code
    assert "setvariable" in ran.err
    assert [] == commands_in(ran.out) + commands_in(ran.err)
    if format_ == "json":
        assert VSO in json.dumps(ran.report)


def test_a_prediction_is_no_command_and_is_equal_as_a_value(cli, rows, job, mean):
    mean.behave = lambda _, found, __: Answer(body=json.dumps({"result": [OUTSIDE] * len(found)}).encode())

    ran = cli("score", rows, "--target", mean.url)

    assert 0 == ran.code, ran.err
    assert [OUTSIDE] * 2 == [json.loads(line)["prediction"] for line in ran.out.splitlines()]
    assert [] == commands_in(ran.out) + commands_in(ran.err)


def test_names_of_files_and_keys_of_payloads_are_no_commands(cli, job, mean):
    mean.contract = None
    name = cli.write("::error::x ##[error].json", json.dumps({VSO: 1}))
    schema = cli.write("bank.json", json.dumps(CONTRACT))
    for format_ in ("text", "json", "junit", "sarif"):
        ran = cli("validate", name, "--schema", schema, "--format", format_)

        assert 3 == ran.code, ran.err
        assert [] == commands_in(ran.out) + commands_in(ran.err)
    missing = cli("validate", "::error::no ##[error].json", "--schema", schema)

    assert 2 == missing.code
    assert [] == commands_in(missing.err)


CONTRACT = {
    "swagger": "2.0",
    "info": {"title": "a", "version": "1"},
    "paths": {
        "/score": {
            "post": {
                "parameters": [
                    {"in": "body", "name": "body", "schema": {"type": "object", "required": ["data"],
                     "properties": {"data": {"type": "array", "items": {"type": "integer"}}}}}
                ],
                "responses": {"200": {"description": "a", "schema": {"type": "object"}}},
            }
        }
    },
}  # fmt: skip
