"""The operation of a contract is the one whose path matches the target's; the path may be a template."""

import pytest

from epkit.core.contract.contract import parse
from epkit.core.contract.operations import base_of, bases_of, find
from epkit.errors import UsageError


@pytest.mark.parametrize(
    ("name", "path", "base"),
    [
        ("/score", "/score", ""),
        ("/score", "/api/v1/service/bank/score", "/api/v1/service/bank"),
        ("/score", "/scores", None),
        ("/score", "/prescore", None),
        ("/predictions/{model_name}", "/predictions/churn", ""),
        ("/predictions/{model_name}", "/predictions", None),
        ("/predictions/{model_name}", "/predictions//", None),
        ("/v1/models/{model_name}:predict", "/v1/models/rows:predict", ""),
        ("/v1/models/{model_name}:predict", "/v1/models/:predict", None),
        ("/v1/models/{model_name}:predict", "/v1/models/rows:explain", None),
        ("/", "/score", None),
        ("/score/", "/score", ""),
    ],
)
def test_a_target_is_an_operation_where_its_path_ends_so(name: str, path: str, base: str | None) -> None:
    assert base == base_of(name, path)


@pytest.mark.parametrize(
    ("names", "path", "bases", "found"),
    [
        (["/predict", "/train"], "/predict", [""], ["/predict"]),
        (["/predict", "/v2/predict"], "/v2/predict", [""], ["/v2/predict"]),
        (["/predict", "/v2/predict"], "/v2/predict", ["/v2"], ["/predict"]),
        (["/{any}", "/predict"], "/predict", [""], ["/predict"]),
        (["/predictions/{name}", "/predictions/churn"], "/predictions/churn", [""], ["/predictions/churn"]),
        (["/a/{x}", "/a/{y}"], "/a/b", [""], ["/a/{x}", "/a/{y}"]),
        (["/train"], "/predict", [""], []),
    ],
)
def test_the_one_that_fits_best_goes_before_the_others(
    names: list[str], path: str, bases: list[str], found: list[str]
) -> None:
    assert found == find(names, path, bases)


@pytest.mark.parametrize(
    ("document", "bases"),
    [
        ({"swagger": "2.0", "basePath": "/api"}, ["/api"]),
        ({"swagger": "2.0"}, [""]),
        ({"openapi": "3.0.3", "servers": [{"url": "https://host:1/api/v2"}, {"url": "/x"}, 3]}, ["/api/v2", "/x"]),
        ({"openapi": "3.0.3", "servers": "none"}, [""]),
    ],
)
def test_the_contract_says_what_goes_before_its_paths(document: dict[str, object], bases: list[str]) -> None:
    assert bases == bases_of(document)


def contract(*names: str) -> dict[str, object]:
    return {"openapi": "3.1.0", "paths": {name: {"post": {"responses": {}}} for name in names}}


def test_the_targets_path_decides_before_score_and_before_the_only_one() -> None:
    assert parse(contract("/score", "/v2/predict"), at="/v2/predict").path == "/v2/predict"
    assert parse(contract("/score", "/v2/predict"), at="/other").path == "/score"
    assert parse(contract("/a/{name}", "/b"), at="/x/a/churn").path == "/a/{name}"


def test_a_path_that_the_user_names_may_be_one_with_its_templates_filled() -> None:
    document = contract("/models/{name}/predict", "/models/{name}/explain")

    assert parse(document, path="/models/churn/predict").path == "/models/{name}/predict"
    assert parse(document, path="models/{name}/explain", at="/models/churn/predict").path == "/models/{name}/explain"
    with pytest.raises(UsageError, match=r"there is no POST /models/churn; there is /models/\{name\}/predict"):
        parse(document, path="/models/churn")


def test_what_the_target_does_not_decide_is_left_to_the_user() -> None:
    with pytest.raises(UsageError, match=r"more than one path has a POST \(/a, /b\), and none is /c alone: .* --path"):
        parse(contract("/a", "/b"), at="/c")
