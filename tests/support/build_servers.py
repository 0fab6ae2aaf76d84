"""Finds the commands in a job's output that GitHub Actions and Azure DevOps execute, by their runners' sources."""

import re

GITHUB = re.compile(r"::[^\r\n]*?::")
OLD_OR_AZURE = re.compile(r"##(?:vso)?\[[^\r\n\]]*\]", re.IGNORECASE)
IGNORED = "".join(map(chr, (*range(9), *range(14, 32), 0x7F, 0xAD, 0x200B, 0x200D, 0x2060, 0xFEFF)))
"""Characters that a comparison of texts in .NET ignores."""


def commands_in(text: str) -> list[str]:
    """Return the commands that a runner executes: `::…::` at the beginning of a line, `##[…]` and `##vso[…]` anywhere."""
    found = []
    for line in re.split(r"\r\n|\r|\n", text):
        begun = GITHUB.match(line.lstrip().lstrip(IGNORED).lstrip())
        found += ([begun[0]] if begun else []) + OLD_OR_AZURE.findall(line)
    return found
