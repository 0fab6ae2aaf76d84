"""Exceptions of SDKs are reduced to code, message and advice, with any text around these."""

import json

import pytest

from epkit.core.hosting.azure_errors import LOGIN, reduce
from support.canary import CANARY


class HttpResponseError(Exception):
    """The exception of azure-core."""

    def __init__(self, message: str, status: int, body: object) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status
        self.response = Response(body)


class Response:
    def __init__(self, body: object) -> None:
        self.body = body
        self.headers = {"Set-Cookie": CANARY}

    def text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body)


class WebserviceException(Exception):  # noqa: N818 - the SDK's name
    """The exception of azureml-core."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ClientAuthenticationError(Exception):
    response = None


class ServiceRequestError(Exception):
    pass


CONTENT = repr(json.dumps({"code": "TooMany", "statusCode": 429, "message": "It's busy – é"}).encode())
V1 = f"""Received bad response from Model Management Service:
Response Code: 429
Headers: {{'Set-Cookie': '{CANARY}', 'Date': 'today'}}
Content: {CONTENT}"""
OPERATION = """Service deployment polling reached non-successful terminal state, current service state: Failed
Operation ID: 7
More information can be found using '.get_logs()'
Error:
{
  "code": "KubernetesDeploymentFailed",
  "statusCode": 400,
  "message": "Couldn't schedule"
}"""


def test_azure_core_s_errors_are_code_and_message():
    body = {"error": {"code": "ResourceNotFound", "message": "no such endpoint"}}
    found = reduce(
        HttpResponseError("(ResourceNotFound) no such endpoint\nCode: ResourceNotFound\nMessage: x", 404, body)
    )

    assert (404, "ResourceNotFound: no such endpoint") == (found.status, found.line)


@pytest.mark.parametrize("body", ["<html>", "[]", {"error": "x"}, {}])
def test_a_reply_without_a_code_leaves_the_first_line(body: object):
    found = reduce(HttpResponseError("Operation returned an invalid status 'Bad Gateway'\nContent: <html>", 502, body))

    assert "Operation returned an invalid status 'Bad Gateway'" == found.line


def test_azureml_core_s_errors_lose_their_headers():
    found = reduce(WebserviceException(V1))

    assert (429, "TooMany: It's busy – é (too many requests: wait a minute)") == (found.status, found.line)
    assert CANARY not in found.line


def test_an_operation_that_failed_says_why():
    assert "KubernetesDeploymentFailed: Couldn't schedule" == reduce(WebserviceException(OPERATION)).line


def test_content_that_is_no_json_leaves_the_first_line():
    text = "Received bad response from Resource Provider:\nResponse Code: 502\nHeaders: {}\nContent: b'<html>'"

    assert (502, "Received bad response from Resource Provider:") == (
        reduce(WebserviceException(text)).status,
        reduce(WebserviceException(text)).line,
    )


def test_a_cause_says_more_than_what_is_wrapped_around_it():
    body = {"error": {"code": "AuthorizationFailed", "message": "not you"}}
    try:
        try:
            raise HttpResponseError("x", 403, body)  # noqa: TRY301
        except HttpResponseError as error:
            raise RuntimeError("Error with model") from error
    except RuntimeError as error:
        found = reduce(error)

    assert found.line.startswith("AuthorizationFailed: not you (this login may not do that")


def test_a_missing_login_says_how_to_log_in():
    chain = "DefaultAzureCredential failed to retrieve a token.\nAttempted credentials:\n\tEnvironmentCredential: none"

    assert LOGIN == reduce(ClientAuthenticationError(chain)).line
    said = reduce(
        ClientAuthenticationError(chain + "\n\tX: AADSTS700082: The refresh token has expired.\nTrace: t")
    ).line
    assert f"AADSTS700082: The refresh token has expired.; {LOGIN}" == said


def test_nobody_there_is_told():
    assert "Azure cannot be reached: name not known" == reduce(ServiceRequestError("name not known\nmore")).line


def test_anything_else_is_its_name_and_first_line():
    assert "KeyError: 'x'" == reduce(KeyError("x")).line
    assert "ValueError: ValueError" == reduce(ValueError()).line


def test_a_circle_of_causes_ends():
    error = ValueError("round")
    error.__cause__ = error

    assert "ValueError: round" == reduce(error).line
