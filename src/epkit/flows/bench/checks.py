"""The checks of replies for `--check contract` and `--check expect`."""

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from epkit.core.http.headers import fields
from epkit.core.http.masking import clean
from epkit.core.json.reading import parse
from epkit.core.json.writing import dumps
from epkit.core.replies import golden, judging
from epkit.core.replies.decoding import decode
from epkit.core.replies.finding import ReplyPlace, find_predictions
from epkit.core.replies.judging import NOTHING, Depth, Verdict
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.samples.rows import Failure
from epkit.engines.deferred import Check, CheckCounts
from epkit.errors import UsageError
from epkit.files.payloads import read_payload
from epkit.flows.target.requests import Requests

if TYPE_CHECKING:
    from epkit.core.contract.contract import ParsedContract


def make_check(
    depth: Depth, expect: str | None, load: Requests, find_contract: "Callable[[], ParsedContract]"
) -> Check | None:
    """Make the check that a depth adds to the check of every reply; None if it adds nothing.

    Raises:
        UsageError: the expected predictions cannot be used, or the contract says nothing about replies.
        EpkitError: there is no contract.
    """
    if depth is Depth.EXPECT:
        return _expecting(expect, load)
    return _contract(find_contract(), load) if depth is Depth.CONTRACT else None


def warnings(counts: CheckCounts, sent: int, depth: Depth, head: bytes, miscounted: str) -> list[Caveat]:
    """Describe the replies that passed unchecked: their coding is not read, or the check had no time for them.

    Args:
        sent: requests of the whole run.
        head: the header block of the first reply.
        miscounted: what is wrong with the number of predictions in a reply that passed; empty if nothing is.
    """
    found = _unchecked(counts, sent, depth, head)
    if miscounted:
        text = (
            f"{miscounted}: no contract says what a row is, so this is no failure (--check status looks at the status "
            "alone, --schema FILE|URL names a contract)"
        )
        found.append(Caveat(kind=CaveatKind.UNCHECKED, text=text))
    return found


def _unchecked(counts: CheckCounts, sent: int, depth: Depth, head: bytes) -> list[Caveat]:
    if depth is Depth.REPLY and (coding := judging.unread_coding(head)) is not None:
        coded = f"replies are coded in {clean(coding, 40)}, which epkit does not read"
        text = f"{coded}: they are judged by their status alone"
        return [Caveat(kind=CaveatKind.UNCHECKED, text=text)]
    if not counts.skipped:
        return []
    whole = max(sent, counts.wanted)
    passed = f"--check {depth.name.lower()} could not keep up: {counts.skipped} of {whole} replies passed without it"
    return [Caveat(kind=CaveatKind.UNCHECKED, text=f"{passed}, {1 - counts.skipped / whole:.0%} were checked")]


def reasons(counts: CheckCounts, depth: Depth) -> list[Caveat]:
    """Give the reasons why a run that should check replies is not valid: it could check none of them."""
    if counts.checked or not counts.wanted:
        return []
    whys = [f"it failed on {counts.crashed}"] * bool(counts.crashed)
    whys += [f"{counts.skipped} came too fast for it"] * bool(counts.skipped)
    text = f"--check {depth.name.lower()} could check none of {counts.wanted} replies: {', '.join(whys)}"
    return [Caveat(kind=CaveatKind.UNCHECKED, text=text)]


def _contract(contract: "ParsedContract", load: Requests) -> Check:
    from epkit.core.validate.checked import in_words
    from epkit.core.validate.reply_validation import ReplyValidator

    if contract.reply is None:
        raise UsageError("--check contract: the contract says nothing about replies")
    meaning = ReplyValidator(contract, place=load.place)
    declared = ReplyValidator(contract, as_declared=True)

    def check(payload: int, head: bytes, body: bytes) -> Verdict:
        plain = _plain(head, body)
        broken = [v for v in meaning.check(plain, rows=load.rows[payload], limit=5).violations if v.severity == "error"]
        for reading in _readings(plain, load.place) if not broken else ():
            broken = list(declared.check(reading, limit=1).violations)
            if not broken:
                break
        return (Failure.CONTRACT, f"{broken[0].pointer or '/'}: {in_words(broken[0])}") if broken else NOTHING

    return check


def _readings(body: bytes, place: ReplyPlace | None) -> Iterator[bytes]:
    """Yield what a contract may mean: the list of predictions, the value in the JSON string, the reply itself.

    Source: Azure ML's contracts, made by inference-schema from a sample of what `run()` returns, declare an array where
    the server sends a JSON string that holds an object around it.
    """
    value = decode(body)
    found = find_predictions(value, place=place)
    if found is not None and found.values is not value:
        yield dumps(found.values)
    yield dumps(value)
    yield body  # last, because the user sees the violations of the last reading


def _expecting(expect: str | None, load: Requests) -> Check:
    if expect is None:
        raise UsageError("--check expect: what is expected? --expect FILE holds it")
    expected = _read(expect, load)

    def check(payload: int, head: bytes, body: bytes) -> Verdict:
        why = golden.mismatch(expected[payload], _plain(head, body), load.place)
        return NOTHING if why is None else (Failure.MISMATCH, why)

    return check


def _read(path: str, load: Requests) -> list[list[object]]:
    """Read golden predictions: a reply, several in a list, or a `.jsonl` file of replies or of `score`'s output."""
    payload = read_payload(path, io.BytesIO())
    if path.lower().endswith(".jsonl"):
        lines = enumerate(payload.body.split(b"\n"), 1)
        values = [parse(line, name=path, first_line=number) for number, line in lines if line.strip()]
    else:
        value = parse(payload.body, name=path)
        several = isinstance(value, list) and len(load.rows) > 1
        values = list(value) if several else [value]
    try:
        parsed = [decode(value.encode()) if isinstance(value, str) else value for value in values]
        return golden.by_payload(parsed, load.rows, load.place)
    except ValueError as error:
        raise UsageError(f"--expect {path}: {error}") from None


def _plain(head: bytes, body: bytes) -> bytes:
    """Undo the content coding; `judge_reply` has checked that this is possible."""
    return judging.unpack(fields(head).get("content-encoding", ""), body)
