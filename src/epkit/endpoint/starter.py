"""The `epkit.toml` that `epkit init` writes: known values are filled in, all others are comments."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from epkit.core.http.addresses import is_address, is_loopback
from epkit.core.http.masking import clean, mask_url
from epkit.core.http.secret import Secret
from epkit.core.http.url import Url

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The form of an endpoint's name that needs no quotes."""

_HEAD: Final = """\
# The endpoints that epkit talks to, by name: `epkit check NAME`, `epkit score --target NAME`.
# Commands look for this file from where they run upward. Do not write a key into it, because files get
# committed: name the variable or the file that holds it.
"""

_SERVICE: Final = re.compile(r"/api/v1/(?:service|endpoint)/([^/]+)/")
_COLUMN: Final = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceConfig:
    """The content of Azure's `config.json`.

    Args:
        source: its path in the form in which the user would write it.
    """

    name: str
    resource_group: str = ""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """The known settings of an endpoint.

    Args:
        name: name of the endpoint, in the form of `NAME`.
        uri: without credentials (`without_credentials`), or None.
        key_env, key_file: where the key is, if the user named it.
    """

    name: str
    uri: Url | None = None
    workspace: WorkspaceConfig | None = None
    key_env: str | None = None
    key_file: str | None = None


def render(starter: Starter) -> str:
    """Return the text of the file, with a comment for each setting."""
    return "\n".join([_HEAD, *_lines(starter), ""])


def name_of(uri: Url) -> str:
    """Make an endpoint's name from its URL: the service, otherwise the host's first label; `local` for an address."""
    service = _SERVICE.match(uri.path)
    here = uri.unix is not None or is_address(uri.host) or is_loopback(uri.host)
    host = "local" if here else uri.host.partition(".")[0]
    found = service[1] if service else host
    return re.sub("[^A-Za-z0-9_-]+", "-", found).strip("-")[:64] or "endpoint"


def variable_of(name: str) -> str:
    """Make the name of an environment variable for an endpoint's key."""
    word = re.sub("[^A-Za-z0-9]", "_", name).upper()
    return f"{'_' if word[:1].isdigit() else ''}{word}_KEY"


def without_credentials(uri: Url) -> tuple[Url, tuple[str, ...]]:
    """Remove the parts of a URL that must not be written into a file.

    Returns:
        The URL, and descriptions of the removed parts.
    """
    left_out = [] if uri.userinfo is None else ["its password"]
    pairs = uri.query.reveal().split("&") if uri.query else []
    kept = [pair for pair in pairs if mask_url(f"?{pair}") == f"?{pair}"]
    left_out += [f'the value of "{clean(pair.partition("=")[0], 40)}"' for pair in pairs if pair not in kept]
    query = Secret("&".join(kept)) if kept else None
    return replace(uri, userinfo=None, query=query), tuple(left_out)


def _lines(starter: Starter) -> Iterator[str]:
    uri, workspace = starter.uri, starter.workspace
    # A table without a uri would be refused, so without one the whole table is a comment.
    off = "# " if uri is None else ""
    yield _line(off, "default", starter.name, "the target of a command that names none")
    yield ""
    if workspace is not None:
        group = f", resource group {clean(workspace.resource_group)}" if workspace.resource_group else ""
        yield f"# Azure's workspace {clean(workspace.name)}{group} ({clean(workspace.source)})"
    yield f"{off}[endpoints.{starter.name}]"
    if uri is None:
        yield _line(off, "uri", "https://HOST/score", "where rows are scored: remove the # from these three lines")
    else:
        yield _line(off, "uri", uri.reveal(), "")
    contract = "the uri with swagger.json at its end" if uri is None else uri.sibling("swagger.json").shown
    yield _line("# ", "swagger", f"swagger/{starter.name}.json", f"contract, a path or URL; default: {contract}")
    yield _line("# ", "auth", "key", "key | aad | aml_token | none")
    given = starter.key_env is not None
    variable = starter.key_env or variable_of(starter.name)
    yield _line(off if given else "# ", "key_env", variable, "variable that holds the key; default: EPKIT_KEY")
    given = starter.key_file is not None
    file = starter.key_file or f"{starter.name}.key"
    yield _line(off if given else "# ", "key_file", file, "or the file that holds it: mode 0600, and in .gitignore")
    yield _line("# ", "deployment", "blue", "pins a deployment (azureml-model-deployment)")
    yield _line("# ", "timeout", 60, "seconds")
    headers = '# headers = { "x-team" = "risk" }'
    yield f"{headers:<{_COLUMN}}  # sent with every request"
    yield _line("# ", "backend", _backend(uri), "local | azureml | azureml-v1: who hosts it, for epkit deploy and logs")
    if workspace is not None:
        yield _line(off, "workspace", workspace.name, "")


def _line(off: str, key: str, value: str | int, why: str) -> str:
    # A JSON string is also a basic string of TOML.
    text = f"{off}{key} = {json.dumps(clean(value, 2000) if isinstance(value, str) else value, ensure_ascii=False)}"
    return f"{text:<{_COLUMN}}  # {why}" if why else text


def _backend(uri: Url | None) -> str:
    """Guess the backend of an endpoint.

    Source: Azure's host names: container instances (ACI) and `/api/v1/service/` (AKS) belong to version 1.
    """
    if uri is None or uri.host.endswith(".inference.ml.azure.com"):
        return "azureml"
    old = uri.host.endswith(".azurecontainer.io") or _SERVICE.match(uri.path)
    return "azureml-v1" if old else "local"
