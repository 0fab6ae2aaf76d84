"""References to models at Azure, as users write them."""

import pytest

from epkit.core.hosting.references import JobReference, RegisteredReference, parse_job, parse_reference, shown
from epkit.errors import UsageError

GOOD = {
    "azureml:bank:3": RegisteredReference(name="bank", version="3"),
    "azureml:bank-model_2.x:2026.1": RegisteredReference(name="bank-model_2.x", version="2026.1"),
    "azureml:bank@latest": RegisteredReference(name="bank", version=None),
    "azureml:jobs/brave_key/outputs": JobReference(job="brave_key"),
    "azureml:jobs/brave_key/outputs/": JobReference(job="brave_key"),
    "azureml:jobs/brave_key/outputs/mlflow-model": JobReference(job="brave_key", path="outputs/mlflow-model"),
    "azureml://jobs/brave_key/outputs/artifacts/paths/outputs/mlflow-model": JobReference(
        job="brave_key", path="outputs/mlflow-model"
    ),
    "azureml:jobs:1": RegisteredReference(name="jobs", version="1"),
}


@pytest.mark.parametrize(("text", "reference"), GOOD.items())
def test_a_reference_is_read(text, reference):
    assert reference == parse_reference(text)
    assert reference == parse_reference(shown(reference))


@pytest.mark.parametrize(
    "text",
    ["azureml:", "azureml:bank", "azureml:bank:", "azureml:bank@newest", "azureml:../x:1", "azureml:jobs/x", "azureml:a/b:1",
     "azureml://registries/r/models/m/versions/1", "azureml:bank:1\n", f"azureml:{'a' * 300}:1"],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(UsageError, match="azureml:NAME:VERSION, azureml:NAME@latest, or azureml:jobs/RUN/outputs"):
        parse_reference(text)


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "-x"])
def test_what_no_job_is_called_is_refused(name):
    with pytest.raises(UsageError, match="the name of a job is letters"):
        parse_job(name)
