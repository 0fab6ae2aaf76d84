"""The hosts to which an Azure token may be sent, for URLs that try to deceive."""

import pytest

from epkit.core.hosting.azure_hosts import is_azure, takes_token
from epkit.core.http.url import parse
from epkit.errors import UsageError

NAMED = ("ml.example.com",)


@pytest.mark.parametrize(
    "url",
    [
        "https://westeurope.api.azureml.ms/pipelines/v1.0/x",
        "https://WestEurope.API.AzureML.MS/x",
        "https://bank.westeurope.inference.ml.azure.com/jobs",
        "https://bank.westeurope.inference.ml.azure.com./jobs",
        "https://bank.westeurope.inference.ml.azure.com:443/jobs",
        "https://x.workspace.westeurope.api.azureml.ms/",
        "https://old.azureml.net/jobs",
        "https://westeurope.api.azureml。ms/x",  # a full-width dot is a dot (UTS 46)
        "https://ml.example.com/jobs",
        "https://ML.example.com.:8443/jobs",
    ],
)
def test_a_token_goes_there(url: str):
    assert takes_token(parse(url), NAMED)


@pytest.mark.parametrize(
    "url",
    [
        "http://westeurope.api.azureml.ms/x",
        "http://ml.example.com/x",
        "https://westeurope.api.azureml.ms:8443/x",
        "https://azureml.ms/x",
        "https://evilazureml.ms/x",
        "https://evil-ml.azure.com/x",
        "https://azure.com/x",
        "https://westeurope.api.azureml.ms.example.com/x",
        "https://westeurope.api.azureml.ms@evil.example.com/x",
        "https://evil.example.com/.azureml.ms",
        "https://evil.example.com?x=.azureml.ms",
        "https://evil.example.com#.azureml.ms",
        "https://evil.example.com\\.azureml.ms/x",
        "https://evil.example.com%2e.azureml.ms/x",
        "https://api.аzureml.ms/x",  # Cyrillic
        "https://api.azureml.ms\u0000.evil.example.com/x",
        "https://api.azureml.ms../x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:1.2.3.4]/x",
        "https://sub.ml.example.com/x",
        "https://example.com/x",
        "unix:/run/api.azureml.ms",
    ],
)
def test_a_token_goes_nowhere_else(url: str):
    try:
        found = parse(url)
    except UsageError:
        return  # it is not a URL

    assert not takes_token(found, NAMED)


def test_azure_is_known_whatever_the_scheme():
    assert is_azure(parse("http://x.azureml.ms:8080/jobs"))
    assert not is_azure(parse("https://ml.example.com/jobs"))
