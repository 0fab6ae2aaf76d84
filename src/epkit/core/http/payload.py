"""A request body, and its name in reports."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Self

from epkit.core.json.reading import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One request body.

    Args:
        name: its file, `FILE:LINE` for a line of a `.jsonl`, `stdin`, or the name of its generator.
        body: the bytes that are sent; rows may be personal data, so it is not in the repr.
        sha256: of the body, in hexadecimal.
        line: its line in the file, None if it is the whole file.
        checked: whether its rows have been checked already, in their file.
        rows: number of its rows, None if only the body shows it.
    """

    name: str
    body: bytes = field(repr=False)
    sha256: str
    line: int | None = None
    checked: bool = False
    rows: int | None = None

    @classmethod
    def of(
        cls, name: str, body: bytes, *, line: int | None = None, checked: bool = False, rows: int | None = None
    ) -> Self:
        """Build a payload and compute its digest."""
        return cls(name=name, body=body, sha256=hashlib.sha256(body).hexdigest(), line=line, checked=checked, rows=rows)

    def parse(self) -> Any:
        """Decode the body as JSON.

        Raises:
            UsageError: it is none; the message begins with the place in the payload's file.
        """
        return parse(self.body, name=self.file, first_line=self.line or 1)

    @property
    def file(self) -> str:
        """The name without the line."""
        return self.name if self.line is None else self.name.removesuffix(f":{self.line}")
