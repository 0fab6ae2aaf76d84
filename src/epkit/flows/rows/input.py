"""Turns the user's input into rows that can be sent: adds the envelope, and checks the rows against the contract."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from epkit.core.contract.columns import RowSpec
from epkit.core.contract.rows import rows_of
from epkit.core.http.payload import Payload
from epkit.core.replies.predictions import Failed
from epkit.core.score.batching import Chunk
from epkit.core.score.encoding import as_object
from epkit.core.score.pieces import regroup
from epkit.core.shapes import table
from epkit.core.shapes.bodies import value_at
from epkit.core.shapes.envelopes import Envelope, from_wrap, of_body
from epkit.core.validate.checked import in_words
from epkit.core.validate.culling import cull
from epkit.core.validate.validation import Validator
from epkit.core.validate.violations import Verdict
from epkit.errors import ContractError, UsageError
from epkit.files import payloads
from epkit.files.sources import CsvSource, FrameSource, LinesSource, ParquetSource, Source, ValuesSource
from epkit.flows.context import Note
from epkit.flows.rows.opening import Given

if TYPE_CHECKING:
    from epkit.core.contract.contract import ParsedContract

WHOLE: Final = "(--no-validate sends it anyway)"
FAULTS: Final = ("cells", "decimal")
"""Rules by which a row of a table is invalid, whatever the contract says."""

OTHERS: Final = "(--no-validate sends it anyway, --skip-invalid all other rows)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Rows that can be sent.

    Args:
        validator: checks rows again while they are read, if some rows are known to be invalid; otherwise None.
    """

    source: Source
    envelope: Envelope
    validator: Validator | None

    def chunks(self, skip: int, batch_rows: int) -> Iterator[Chunk]:
        """Read the rows.

        Args:
            skip: the number of rows at the beginning to leave out.
        """
        first = skip
        pieces = self.source.pieces(skip, lists=self.envelope.wants_lists)
        for piece in regroup(pieces, batch_rows):
            chunk = Chunk(first, piece.rows, piece)
            wrong: Mapping[int, str] = piece.faults
            if self.validator is not None:
                validator = self.validator

                def check(start: int, stop: int) -> Any:
                    return self.source.findings(piece, start, stop, validator)  # noqa: B023 - called in this turn

                wrong = {**cull(len(piece), check), **wrong}
            for place, words in wrong.items():
                chunk.fail(place, place + 1, Failed(reason="contract", status=0, detail=words))
            yield chunk
            first += len(piece)


def prepare(
    given: Given | None,
    contract: "ParsedContract | None",
    *,
    wrap: str | None,
    parameters: Mapping[str, Any],
    skip_invalid: bool,
    path: str,
    note: Note,
    validate: bool = True,
    scoring: bool = True,
) -> Input:
    """Make rows from the input, and check each of them.

    Args:
        given: the input; None for the contract's example.
        contract: defines how rows are encoded, and what their columns are.
        wrap: the user's wrapping; None if it follows from the contract or the path. The contract's columns still apply.
        parameters: sent with the rows.
        path: the target's path, by which MLflow's servers are recognised.
        validate: whether a row that breaks the contract is refused.
        scoring: whether messages may name the flags that only `score` has.

    Raises:
        UsageError: the input cannot be read, or has no rows.
        ContractError: a row breaks the contract.
    """
    validator = None
    advice = OTHERS if scoring else WHOLE
    spec = None if contract is None else rows_of(contract)
    if validate and contract is not None:
        if contract.request is None:
            note("the contract says nothing about the body: the rows are not checked")
        else:
            validator = Validator(contract)
    verdict = envelope = None
    if given is not None and given.kind != ".json":
        source = source_of(given, spec)
    else:
        payload = _payload(given, contract)
        body = payload.parse()
        bare = isinstance(body, list)
        chosen = given is not None and bool(given.options.left_out)
        if validator is not None and not bare and not chosen and wrap is None:
            verdict = validator.check(payload.body, limit=100)
            _refuse(payload.name, verdict, skip_invalid, advice)
        source, own = _from_body(payload.name, body, spec)
        if given is not None:
            source.choose(given.options)
        envelope = own if not bare and wrap is None else None
    if envelope is None:
        envelope = _envelope(spec, wrap, contract, path, note, scoring=scoring)
    envelope = _named(envelope.with_parameters(parameters), source)
    if validator is not None and verdict is None:
        validator = _check_rows(source, envelope, validator, skip_invalid, note, advice, rewrapped=wrap is not None)
    elif verdict is not None and verdict.valid:
        validator = None
    if spec is None:
        source.survey()
        if not skip_invalid:
            source.refuse_faults(" (--skip-invalid sends all other rows)" if scoring else ": correct the line")
    for remark in source.remarks:
        note(remark)
    return Input(source=source, envelope=envelope, validator=validator)


def _payload(given: Given | None, contract: "ParsedContract | None") -> Payload:
    """Read a request body, or use the contract's example."""
    if given is not None:
        assert given.path is not None
        return Payload.of(given.name, payloads.read_payload(str(given.path), io.BytesIO()).body)
    if contract is None or contract.example is None:
        raise UsageError("no FILE is given, and there is no contract with an example: name the file with the rows")
    return Payload.of("the contract's example", json.dumps(contract.example).encode())


def source_of(given: Given, spec: RowSpec | None) -> Source:
    """Open the rows of a table or of Python; a contract, if there is one, gives the types.

    Raises:
        UsageError: the content does not match the file's name.
    """
    source = _opened(given, spec)
    source.choose(given.options)
    return source


def _opened(given: Given, spec: RowSpec | None) -> Source:
    if given.path is None:
        if hasattr(given.values, "write_ndjson"):
            return FrameSource(given.values, given.name, spec)
        return ValuesSource(given.values, given.name)
    match given.kind:
        case ".csv":
            return CsvSource(given.path, given.name, spec, given.options)
        case ".parquet":
            return ParquetSource(given.path, given.name, spec)
    return LinesSource(given.path, given.name)


def _from_body(name: str, body: object, spec: RowSpec | None) -> tuple[Source, Envelope]:
    """Take the rows out of a request body; its wrapping is kept."""
    if spec is not None and spec.form == "row" and isinstance(body, dict):
        return ValuesSource([body], name), spec.envelope(None)
    found = None if spec is None or isinstance(body, list) else of_body(body, spec.path)
    found = found or of_body(body)
    if found is None:
        raise UsageError(f"{name}: there are no rows in it: a list of objects or of arrays is expected")
    envelope, there = found
    rows = there.rows()
    if not rows:
        raise UsageError(f"{name}: there are no rows in it")
    if spec is not None and spec.form == "records" and envelope.form == "columns" and envelope.path == spec.path:
        # The body has columns and the contract has rows: not every server accepts columns.
        rows = [as_object(row, envelope.names or ()) for row in rows]
        return ValuesSource(rows, name), replace(envelope, form="records", names=None)
    return ValuesSource(rows, name, envelope.names), envelope


def _envelope(
    spec: RowSpec | None,
    wrap: str | None,
    contract: "ParsedContract | None",
    path: str,
    note: Note,
    *,
    scoring: bool,
) -> Envelope:
    """Choose the envelope of the rows: the user's, otherwise the contract's, otherwise that of the target's path."""
    if wrap is not None:
        envelope = from_wrap(wrap)
        same = spec is not None and spec.form == envelope.form and spec.form in ("tensors", "tensor")
        return replace(envelope, tensors=spec.tensors) if spec is not None and same else envelope
    if spec is not None:
        return spec.envelope(contract.example if contract is not None else None)
    shape = table.of_target(path)
    if shape is not None:
        return Envelope(path=shape.path, form=shape.form)
    envelope = from_wrap("data")
    otherwise = "; --wrap changes that" if scoring else ""
    note(f"no contract says how rows are wrapped: they are sent as {envelope.shown}{otherwise}")
    return envelope


def _named(envelope: Envelope, source: Source) -> Envelope:
    """Give an envelope the names of the columns, if the envelope contains names.

    Raises:
        UsageError: this envelope cannot contain the rows.
    """
    if envelope.form == "table" and not isinstance(value_at(envelope.template, (*envelope.path, "schema")), dict):
        raise UsageError("--wrap: a table has a schema, which comes from a contract's example: name one with --schema")
    if envelope.form == "values" and len(source.names) > 1:
        names = ", ".join(source.names[:5])
        raise UsageError(f"{source.name}: the body holds one value a row, but there are the columns {names}: keep one")
    return replace(envelope, names=tuple(source.names)) if envelope.is_named else envelope


def _check_rows(
    source: Source,
    envelope: Envelope,
    validator: Validator,
    skip_invalid: bool,
    note: Note,
    advice: str,
    *,
    rewrapped: bool,
) -> Validator | None:
    """Check every row, and the body around them.

    Args:
        rewrapped: whether the wrapping is the user's own; then the contract does not describe it.

    Returns:
        The validator, if some rows are invalid and are left out; None if all rows are sent.

    Raises:
        ContractError: the message has the first violation and the number of violations.
    """
    if validator.rows is None:
        note("the contract says nothing about rows: they are not checked")
        return None
    first = None if rewrapped or envelope.most_rows else next(source.pieces(0, lists=envelope.wants_lists), None)
    if first is not None and first.rows:
        before, after = envelope.around()
        around = validator.check(before + envelope.writer.write(first.rows[:1]) + after)
        outside = [v for v in around.violations if v.severity == "error" and v.row is None]
        if outside:
            raise ContractError(f"{source.name}: {in_words(outside[0])} {WHOLE}")
    verdict = source.check(validator, limit=1)
    if verdict.violations and verdict.violations[0].rule == "minItems":
        _refuse(source.name, verdict, False, WHOLE)
    _refuse(source.name, verdict, skip_invalid, advice)
    return None if verdict.valid else validator


def _refuse(name: str, verdict: Verdict, skip_invalid: bool, advice: str) -> None:
    errors = [violation for violation in verdict.violations if violation.severity == "error"]
    if skip_invalid:
        errors = [violation for violation in errors if violation.row is None]
    if verdict.valid or not errors:
        return
    first = errors[0]
    if first.rule in FAULTS:
        advice = "(--skip-invalid sends all other rows)" if advice is OTHERS else "(correct the line)"
    place = name if first.line is None else f"{name}:{first.line}:{first.column}"
    more = f"; {verdict.errors} errors in all, epkit validate shows them" if verdict.errors > 1 else ""
    raise ContractError(f"{place}: {in_words(first)}{more} {advice}")


def rows_from_python(rows: Any) -> Given:
    """Take rows from Python: a frame of polars or pandas, or a sequence of objects or lists.

    Raises:
        UsageError: the rows are of another type, or there are none.
    """
    if hasattr(rows, "write_ndjson"):
        return Given(name="the frame", values=rows)
    if hasattr(rows, "__dataframe__"):
        from epkit.files.frames import from_foreign  # late: it imports polars, which takes 0.2 s

        return Given(name="the frame", values=from_foreign(rows))
    if isinstance(rows, Mapping) or not isinstance(rows, Sequence):
        rows = [rows] if isinstance(rows, Mapping) else list(rows)
    if not rows:
        raise UsageError("there are no rows")
    return Given(name="the rows", values=rows)
