"""References to models at Azure: `azureml:NAME:VERSION`, `…@latest`, `azureml:jobs/RUN/outputs/…`."""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from epkit.errors import UsageError

PREFIX: Final = "azureml:"
OUTPUTS: Final = "outputs"
"""The directory among a run's files to which a training writes its model."""

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}"
_REGISTERED: Final = re.compile(rf"({_NAME})(?::([A-Za-z0-9_.-]{{1,30}})|@latest)")
_JOB: Final = re.compile(rf"/*jobs/({_NAME})/(?:outputs/artifacts/paths/)?({OUTPUTS}(?:/[^/]+)*)/*")
"""The optional part is in the SDK's paths to the files of a run (`azureml://jobs/RUN/outputs/artifacts/paths/…`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredReference:
    """A model of the workspace's registry.

    Args:
        version: None for the latest.
    """

    name: str
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReference:
    """Files of a job.

    Args:
        job: its name; for a job with children, the files are those of its best child.
        path: the path among the files, `outputs/…`.
    """

    job: str
    path: str = OUTPUTS


Reference: TypeAlias = RegisteredReference | JobReference


def is_reference(text: str) -> bool:
    """Tell whether the value of `--model` refers to a model at Azure and is not a path."""
    return text.startswith(PREFIX)


def parse_reference(text: str) -> Reference:
    """Read the value of `--model`.

    Raises:
        UsageError: it has another form.
    """
    rest = text.removeprefix(PREFIX)
    if found := _JOB.fullmatch(rest):
        return JobReference(job=found[1], path=found[2])
    if found := _REGISTERED.fullmatch(rest):
        return RegisteredReference(name=found[1], version=found[2])
    raise UsageError(
        f"--model {text}: azureml:NAME:VERSION, azureml:NAME@latest, or azureml:jobs/RUN/outputs for the files of a job"
    )


def parse_job(name: str) -> JobReference:
    """Read the value of `--job`.

    Raises:
        UsageError: no job has such a name.
    """
    if not re.fullmatch(_NAME, name):
        raise UsageError(f"--job {name}: the name of a job is letters, digits, -, _ and dots")
    return JobReference(job=name)


def shown(reference: Reference) -> str:
    """Return a reference in the form in which it is written."""
    if isinstance(reference, JobReference):
        return f"{PREFIX}jobs/{reference.job}/{reference.path}"
    return f"{PREFIX}{reference.name}" + (f":{reference.version}" if reference.version else "@latest")
