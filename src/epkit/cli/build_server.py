r"""Commands of GitHub Actions and Azure DevOps in the output of a job: external text must not contain any.

A line `::error::…` or `##[error]…` is a workflow command for GitHub Actions. `##vso[task.setvariable …]…` anywhere in a
line is a logging command for Azure DevOps. With them, a reply, a log or the name of a file could set variables and
outputs. One character at the start of such a command is printed as its JSON escape: in JSON, the value stays the same.
"""

import os
import re
from typing import Final

VARIABLES: Final = ("GITHUB_ACTIONS", "TF_BUILD")
"""Set to "true" in each job of GitHub Actions, also on servers that use its runner, and of Azure DevOps."""

_BLANK: Final = r"[ \t\x0b\x0c\x00-\x08\x0e-\x1f\x7f-\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
"""Characters that may precede `::` in a line: the runner trims spaces, and .NET ignores the others in comparisons."""

_LINE_START: Final = re.compile(rf"((?:\A|[\r\n]){_BLANK}*):(?=:)")
_ANYWHERE: Final = re.compile(r"#(?=#\w{0,40}\[)")


def listens() -> bool:
    """Return whether a build server reads the output."""
    return any(os.environ.get(name, "").lower() not in ("", "0", "false") for name in VARIABLES)


def defused(text: str) -> str:
    r"""Break the start of each command in a text to print; without a build server, return the text unchanged.

    Returns:
        The text with `\u003a:` for `::` at the start of a line, and `\u0023#` for `##` before `[` or `word[`.

    Source: `ActionCommand.TryParseV2` and `TryParse` of actions/runner, `Command.TryParse` of azure-pipelines-agent.
    """
    if not (("##" in text or "::" in text) and listens()):
        return text
    return _ANYWHERE.sub(r"\\u0023", _LINE_START.sub(r"\1\\u003a", text))


def defused_bytes(data: bytes) -> bytes:
    """Break commands in lines of JSON, where `::` never starts a line."""
    if not (b"#" in data and listens()):  # a search for one byte is faster than for two
        return data
    return defused(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
