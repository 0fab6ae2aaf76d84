"""Checks a reply: it must be decodable, and have no hidden error and the right number of predictions.

Declared reply types are often wrong: a contract declares an array, and the server sends a JSON string; it declares
integers, and the server sends floats. So by default, a wrong type is only a warning.
"""

from typing import Any

from epkit.core.contract.compiled import SchemaSet, breaches
from epkit.core.contract.contract import ParsedContract
from epkit.core.replies.declared import declared_place
from epkit.core.replies.decoding import decode, hidden_error
from epkit.core.replies.faults import first_fault
from epkit.core.replies.finding import ReplyPlace, find_predictions
from epkit.core.validate import bodies
from epkit.core.validate.validation import LIMIT
from epkit.core.validate.violations import Findings, Verdict, verdict


class ReplyValidator:
    """Checks replies against one contract."""

    def __init__(self, contract: ParsedContract, *, as_declared: bool = False, place: ReplyPlace | None = None) -> None:
        """Compile a contract.

        Args:
            as_declared: whether a reply must be exactly what the contract declares.
            place: the place of the predictions in a reply, if the user gave it; None for the contract's.

        Raises:
            UsageError: the reply's schema cannot be used.
        """
        self.as_declared = as_declared
        self._place = declared_place(contract) if place is None else place
        self._declared: Any = None
        if contract.reply is not None:
            schemas = SchemaSet(contract.document)
            self._declared = schemas.compile(contract.reply, where=contract.reply_pointer)

    def check(self, data: bytes, *, rows: int | None = None, limit: int = LIMIT) -> Verdict:
        """Check the text of a reply whose status is a success.

        Args:
            rows: number of rows that were sent; None if it is not known.
            limit: greatest number of violations to report.
        """
        findings = Findings()
        body = bodies.quickly(data, findings)
        if body.fault is not None:
            findings.add("json", (), body.fault.text, hint=body.fault.hint)
            return verdict(findings, limit=limit, places=bodies.fault_place(body.fault))
        value = body.value
        if not self.as_declared:
            # The further checks use the value that a client sees if it decodes twice.
            value = decode(body.text)
            if isinstance(body.value, str) and not isinstance(value, str):
                text = "JSON inside a JSON string: a client has to decode it twice"
                findings.add("encoding", (), text, severity="warning")
            self._meaning(value, rows, findings)
        if self._declared is not None:
            for breach in breaches(self._declared, value):
                steps = tuple(None if isinstance(step, int) else step for step in breach.path)
                findings.add(
                    breach.keyword,
                    breach.path,
                    breach.message if self.as_declared else f"{breach.message}, though the contract declares it",
                    severity="error" if self.as_declared else "warning",
                    place=(*steps, breach.detail),
                )
        # Positions inside a string are not known: every finding gets the position where the string begins.
        return verdict(findings, limit=limit, places=bodies.body_places(body.text))

    def _meaning(self, value: object, rows: int | None, findings: Findings) -> None:
        """Find the faults that make a reply useless, whatever its type."""
        if (error := hidden_error(value)) is not None:
            findings.add("error", ("error",), f"the reply is an error under a status of success: {error[:200]}")
            return
        found = find_predictions(value, rows, self._place)
        count = None if found is None else len(found.values)
        fault = None if found is None else first_fault(found.values)
        if value is None:
            findings.add("empty", (), "null is no prediction")
        elif count == 0:
            findings.add("empty", (), "there are no predictions")
        elif rows is not None and count is not None and count != rows:
            counted = f"{count:,} prediction{'' if count == 1 else 's'}"
            findings.add("predictions", (), f"{counted} for {rows:,} row{'' if rows == 1 else 's'}")
        elif fault is not None:
            findings.add("prediction", (), f"row {fault[0]}: {fault[1]}")
        elif count is None and self._place is not None and self._place.named:
            text = f'no list of predictions is at "{self._place.pointer}"'
            findings.add("predictions", (), text)
        elif count is None:
            text = "no list of predictions is recognised: their number cannot be checked"
            findings.add("predictions", (), text, severity="warning")
