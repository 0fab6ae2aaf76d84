"""The contract in the form for the page, and the requests that the page may make."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.docs.page_contract import MAX_TEMPLATE_CHARACTERS, MAX_TEMPLATES, PREFIX, Routes, rewrite
from epkit.core.http.url import parse
from support.places import ROOT

SWAGGER = json.loads((ROOT / "swagger" / "bank.swagger2.json").read_text())
OPENAPI = json.loads((ROOT / "swagger" / "bank.openapi3.json").read_text())


def test_swagger_leads_to_this_server_and_asks_for_no_key():
    document = {
        "swagger": "2.0", "host": "x", "schemes": ["https"], "basePath": "/api", "security": [{"k": []}],
        "securityDefinitions": {"k": {}}, "definitions": {"A": {"security": 1}},
        "paths": {"/score": {"schemes": ["https"], "parameters": [], "post": {"security": [], "schemes": [], "summary": "s"}}},
    }  # fmt: skip

    assert {
        "swagger": "2.0",
        "basePath": "/_target",
        "definitions": {"A": {"security": 1}},
        "paths": {"/score": {"parameters": [], "post": {"summary": "s"}}},
    } == rewrite(document)


def test_openapi_leads_to_this_server_and_asks_for_no_key():
    document = {
        "openapi": "3.1.0", "servers": [{"url": "https://x"}], "security": [], "webhooks": {"w": {}},
        "components": {"securitySchemes": {"k": {}}, "schemas": {"A": {}},
                       "pathItems": {"p": {"servers": [], "post": {"servers": [], "callbacks": {}}}}},
        "paths": {"/score": {"servers": [], "post": {"callbacks": {}, "servers": [], "security": [], "summary": "s"}},
                  "/x": {"$ref": "#/components/pathItems/p"}},
    }  # fmt: skip

    assert {
        "openapi": "3.1.0",
        "servers": [{"url": "/_target"}],
        "components": {"schemas": {"A": {}}, "pathItems": {"p": {"post": {}}}},
        "paths": {"/score": {"post": {"summary": "s"}}, "/x": {"$ref": "#/components/pathItems/p"}},
    } == rewrite(document)


@pytest.mark.parametrize("document", [SWAGGER, OPENAPI], ids=["2.0", "3.0"])
def test_the_document_itself_is_left_alone(document):
    before = json.dumps(document)

    rewrite(document)

    assert before == json.dumps(document)


@pytest.mark.parametrize(
    "document",
    [
        {"openapi": "3.0.0", "paths": None, "components": []},
        {"swagger": "2.0"},
        {"swagger": "2.0", "paths": {"/a": None, "/b": {"post": None}}},
    ],
)
def test_what_is_broken_stays_as_broken_as_it_is(document):
    page = rewrite(document)

    assert document.get("paths") == page.get("paths")
    assert None is Routes(document, parse("http://h/score")).find("POST", "/a", "")


def find(uri, method, path, query="", document=SWAGGER):
    return Routes(document, parse(uri)).find(method, path, query)


def test_the_pairs_of_the_contract_lie_beside_the_uri():
    uri = "http://h/api/v1/service/bank/score"

    assert "/api/v1/service/bank/score" == find(uri, "POST", "/score")
    assert "/api/v1/service/bank/" == find(uri, "GET", "/")
    assert "/api/v1/service/bank/swagger.json?version=3" == find(uri, "GET", "/swagger.json", "version=3")


def test_a_uri_of_another_name_is_where_rows_are_scored():
    assert "/fault/ok" == find("http://h/fault/ok", "POST", "/score")
    assert "/fault/swagger.json" == find("http://h/fault/ok", "GET", "/swagger.json")


def test_the_signature_of_the_uri_goes_where_its_path_goes_and_nowhere_else():
    uri = "http://h/score?sig=abc"

    assert "/score?sig=abc&x=1" == find(uri, "POST", "/score", "x=1")
    assert "/swagger.json" == find(uri, "GET", "/swagger.json")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/score"), ("DELETE", "/score"), ("POST", "/"), ("POST", "/admin"), ("GET", "/score/"), ("GET", ""),
        ("GET", "//"), ("GET", "/swagger.json/.."), ("GET", "/%2e%2e/x"), ("POST", "/score%2f"), ("POST", "/SCORE"),
        ("POST", "/score\r\nX: y"), ("OPTIONS", "/score"), ("POST", "/sc\u00f6re"),
    ],
)  # fmt: skip
def test_nothing_else_is_found(method, path):
    assert None is find("http://h/score", method, path)


PARAMETERS = {"openapi": "3.0.0", "paths": {"/models/{name}/rows": {"post": {}}, "/models/{name}.json": {"get": {}}}}


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("POST", "/models/a%20b/rows", "/m/models/a%20b/rows"),
        ("GET", "/models/a.json", "/m/models/a.json"),
        ("POST", "/models/a/b/rows", None),
        ("POST", "/models//rows", None),
        ("POST", "/models/../rows", None),
        ("POST", "/models/%2E%2e/rows", None),
        ("POST", "/models/a%2Fb/rows", None),
        ("POST", "/models/a%252fb/rows", None),
        ("POST", "/models/a\\b/rows", None),
        ("POST", "/models/..;/rows", None),
        ("POST", "/models/..;x=1/rows", None),
        ("POST", "/models/a;b/rows", None),
        ("POST", "/models/..%3B/rows", None),
        ("POST", "/models/%c0%ae%c0%ae/rows", None),  # an overlong form of ..
        ("POST", "/models/%ef%bc%8e%ef%bc%8e/rows", None),  # fullwidth
        ("POST", "/models/a%ef%bc%8fb/rows", None),
        ("POST", "/models/%e2%80%a5/rows", None),  # a two dot leader
        ("POST", "/models/a%0d%0ab/rows", None),
        ("POST", "/models/a%00/rows", None),
        ("POST", "/models/a\x7fb/rows", None),
        ("POST", "/models/%ff/rows", None),
        ("POST", "/models/%c3%a4%20%e6%bc%a2/rows", "/m/models/%c3%a4%20%e6%bc%a2/rows"),
        ("POST", "/models/...a/rows", "/m/models/...a/rows"),
        ("GET", "/models/.json", None),
        ("GET", "/models/a.jsonl", None),
        ("GET", "/models/a.json.json", "/m/models/a.json.json"),
    ],
)
def test_a_parameter_is_one_segment(method, path, wanted):
    document = {"openapi": "3.0.0", "paths": PARAMETERS["paths"] | {"/go": {"post": {}}}}

    assert wanted == find("http://h/m/go", method, path, document=document)


@pytest.mark.parametrize(
    ("uri", "asked", "wanted"),
    [
        ("http://h/predictions/churn", "/predictions/churn", "/predictions/churn"),
        ("http://h/predictions/churn", "/predictions/other", "/predictions/other"),
        ("http://h/api/predictions/churn", "/predictions/churn", "/api/predictions/churn"),
        ("http://h/api/predictions/churn", "/health", "/api/health"),
        ("http://h/predictions/churn", "/predictions/a/b", None),
    ],
)
def test_an_operation_with_an_open_part_lies_where_the_target_is(uri, asked, wanted):
    operation = {"post": {}, "get": {}}
    routes = Routes({"openapi": "3.1.0", "paths": {"/predictions/{name}": operation, "/health": operation}}, parse(uri))

    assert wanted == routes.find("POST", asked, "")


def test_a_reference_is_followed():
    document = {
        "openapi": "3.1.0",
        "paths": {"/a": {"$ref": "#/components/pathItems/p"}},
        "components": {"pathItems": {"p": {"post": {}}}},
    }

    assert "/b" == find("http://h/b", "POST", "/a", document=document)


@given(st.text(), st.text())
def test_what_is_asked_for_stays_below_the_target(path, query):
    wanted = Routes({"openapi": "3.0.0", "paths": {"/x/{a}/{b}": {"post": {}}, "/score": {"post": {}}}}, parse("http://h/base/score")).find("POST", path, query)  # fmt: skip

    assert wanted is None or (wanted.startswith("/base/") and "/../" not in wanted + "/" and "\n" not in wanted)


def test_the_prefix_is_not_a_path_of_the_page():
    assert PREFIX not in ("/", "/contract.json")


def matched(template: str, path: str) -> bool:
    document = {"openapi": "3.0.0", "paths": {template: {"get": {}}}}

    return find("http://h/score", "GET", path, document=document) is not None


SEGMENTS = st.lists(st.sampled_from(["{a}", "{}", "x", "y", "xy", "."]), min_size=1, max_size=7).map("".join)


@given(SEGMENTS, st.text(alphabet="xy.", min_size=1, max_size=9))
def test_a_segment_matches_as_a_regular_expression_would(template, segment):
    expected = re.fullmatch("[^/]+".join(map(re.escape, re.split(r"\{[^{}]*\}", template))), segment)

    assert (expected is not None and segment not in (".", "..")) == matched(f"/p/{template}", f"/p/{segment}")


def test_a_template_of_many_parameters_takes_linear_time():
    began = time.process_time()

    assert not matched("/" + "{a}" * 600, "/" + "a" * 599)
    assert matched("/" + "{a}" * 600, "/" + "a" * 50_000)
    assert not matched("/" + "{a}b" * 400, "/" + "a" * 50_000)
    assert not matched("/" + "{" * 1900, "/" + "{" * 1899 + "x")
    assert time.process_time() - began < 5


def test_paths_and_characters_of_templates_are_bounded():
    many = {f"/p{i}": {"get": {}} for i in range(MAX_TEMPLATES + 1)}
    long = "/" + "x" * MAX_TEMPLATE_CHARACTERS
    document = {"openapi": "3.0.0", "paths": {long: {"get": {}}} | many}

    assert f"/p{MAX_TEMPLATES - 1}" == find("http://h/score", "GET", f"/p{MAX_TEMPLATES - 1}", document=document)
    assert None is find("http://h/score", "GET", f"/p{MAX_TEMPLATES}", document=document)
    assert None is find("http://h/score", "GET", long, document=document)
