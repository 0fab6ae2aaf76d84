"""Frames of typed values: which values return unchanged, and which frames are refused, however they were made."""

import pickle
import struct
from datetime import UTC, datetime

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.http.request import Template, build
from epkit.core.load.plan import Phase, Plan
from epkit.core.replies.predictions import Failed
from epkit.core.samples.rows import Failure
from epkit.engines.batches import Outcome
from epkit.engines.driver import FirstFailure
from epkit.engines.workers import values
from epkit.engines.workers.crew import HelloMessage, RefusedMessage
from epkit.engines.workers.values import MalformedError, Messages
from epkit.errors import EndpointError, UsageError
from epkit.flows.bench.driving import RunFacts
from epkit.flows.bench.workers.main import BENCH_WORKERS
from epkit.flows.bench.workers.messages import EndedMessage, GoMessage, NoteMessage, ReplaceMessage, RowsMessage
from epkit.flows.score.workers.main import SCORE_WORKERS
from epkit.flows.score.workers.work import ScoreEndedMessage, ScoreRowsMessage, ScoreSettledMessage

BENCH, SCORE = BENCH_WORKERS.messages, SCORE_WORKERS.messages

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def there_and_back(messages: Messages, message: object) -> object:
    return messages.unpack(messages.pack(message))


def facts(**more: object) -> RunFacts:
    return RunFacts(began=1, started_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), **more)


def framed(structure: object, *blobs: bytes, version: int = values.VERSION) -> bytes:
    text = orjson.dumps(structure)
    return struct.pack("<BI", version, len(text)) + text + b"".join(blobs)


# Values that are sent.


@given(st.lists(JSON, max_size=6), st.integers(0, 2**40), st.integers(0, 2**40))
def test_predictions_arrive_as_they_were(predictions, number, place):
    reasons = {3: Failed(reason="status", status=503, detail="half a pair: \ud800")}
    sent = ScoreSettledMessage(number, place, predictions, reasons)
    came = there_and_back(SCORE, sent)

    assert repr(sent) == repr(came)
    assert repr(predictions) == repr(came.predictions), "NaN, 1.0 and whole numbers of any size"
    assert reasons == came.reasons


@given(st.lists(st.binary(max_size=30), max_size=30), st.none() | st.binary(max_size=30))
def test_rows_arrive_as_they_were(rows, settled):
    assert ScoreRowsMessage(7, rows, settled) == there_and_back(SCORE, ScoreRowsMessage(7, rows, settled))


def test_what_a_worker_knows_arrives_as_it_was():
    failure = FirstFailure(
        failure=Failure.STATUS, status=500, detail="ü\ud800", head=b"h\0", body=b"\xff", payload=0, count=9
    )
    sent = facts(
        begins=(0, 5),
        gaps={0: 3},
        examples={(Failure.STATUS, 500): failure},
        drifts_ns=np.array([1, -2, 2**62]),
        cpu_s=0.1,
    )
    came = there_and_back(BENCH, EndedMessage(sent)).facts

    assert sent.drifts_ns.tolist() == came.drifts_ns.tolist()
    for name in RunFacts.__dataclass_fields__:
        assert name == "drifts_ns" or getattr(sent, name) == getattr(came, name), name


def test_an_outcome_and_an_error_arrive_as_they_were():
    outcome = Outcome(Failure.STATUS, 401, b"head", b"body", "", 1, 2, stale=True)
    refused = there_and_back(BENCH, RefusedMessage(EndpointError("nobody there"))).error

    assert ScoreEndedMessage(outcome, None) == there_and_back(SCORE, ScoreEndedMessage(outcome, None))
    assert (EndpointError, "nobody there") == (type(refused), str(refused))


def test_a_body_that_payload_and_request_share_is_sent_once():
    body = b"x" * 100_000
    request = build("POST", "/", "h", [], body)
    frame = BENCH.pack(ReplaceMessage((request, request)))

    assert len(frame) < 2 * len(body) + 1000
    assert (request, request) == BENCH.unpack(frame).requests


def test_a_template_makes_the_same_requests_when_it_has_travelled():
    template = Template("POST", "/score", "host", [("Authorization", "Bearer k")], marked="x-id")
    assert template.fill(b"[1]", "m") == Template.restored(template.state()).fill(b"[1]", "m")


def test_a_plan_keeps_a_seed_of_any_size():
    plan = Plan(phases=(Phase(requests=3, rate=1.5),), timeout_ns=5, seed=-(10**40))
    put, take = values.coder(Plan)
    assert plan == take(orjson.loads(orjson.dumps(put(plan, None))), [])


def test_more_than_a_frame_holds_is_not_sent(monkeypatch):
    monkeypatch.setattr(values, "MOST_FRAME_BYTES", 1 << 20)
    with pytest.raises(UsageError, match="more than 1 MB at once is not sent to workers"):
        SCORE.pack(ScoreRowsMessage(0, [b"x" * (1 << 20)]))


# Frames that are refused.


class Evil:
    """A value that runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickled_value_is_refused_and_does_nothing(tmp_path):
    evil = pickle.dumps(Evil(tmp_path / "made"), protocol=5)
    for frame in (evil, framed([[len(evil)], "NoteMessage", [0]], evil), framed([[], "GoMessage", [evil.hex()]])):
        with pytest.raises(MalformedError):
            BENCH.unpack(frame)

    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"", "a frame of 0 bytes"),
        (framed([[], "GoMessage", [1]], version=2), "a frame of version 2, and this is 1"),
        (struct.pack("<BI", 1, 2**32 - 1) + b"[]", "a frame that is shorter than it says"),
        (framed([[], "GoMessage", [1]])[:-1] + b"", "a frame that is shorter than it says"),
        (framed([[2**62], "RowsMessage", [0, 0, [], []]], b"x"), "a frame with other lengths than it says"),
        (framed([[-1], "RowsMessage", [0, 0, [], []]], b"x"), "a frame with other lengths than it says"),
        (framed([[True], "RowsMessage", [0, 0, [], []]], b"x"), "a frame with other lengths than it says"),
        (framed([[], "GoMessage", [1]], b"x"), "a frame with more than it says"),
        (framed([[], "Popen", ["true"]]), "no message that is known here"),
        (framed([[], "ScoreEndMessage", [True]]), "no message that is known here"),
        (framed({"GoMessage": 1}), "no message that is known here"),
        (framed([[], "GoMessage", []]), "the 1 fields of GoMessage expected, not list"),
        (framed([[], "GoMessage", {"at_ns": 1}]), "the 1 fields of GoMessage expected, not dict"),
        (framed([[], "GoMessage", ["1e9"]]), "a whole number expected, not str"),
        (framed([[], "GoMessage", [True]]), "a whole number expected, not bool"),
        (framed([[], "GoMessage", [1.0]]), "a whole number expected, not float"),
        (framed([[], "GoMessage", ["9" * 301]]), "a whole number expected, not str"),
        (framed([[], "NoteMessage", [7]]), "a text expected, not int"),
        (framed([[], "RowsMessage", [0, 0, [], []]]), "the number of a blob expected, not int"),
        (framed([[], "RefusedMessage", [[1, "bug"]]]), "an error expected, not list"),
    ],
)  # fmt: skip
def test_what_no_worker_sends_is_refused(frame, why):
    with pytest.raises(MalformedError) as refused:
        BENCH.unpack(frame)

    assert why == str(refused.value)


def test_a_structure_that_is_nested_deep_is_refused():
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(MalformedError, match="a frame that cannot be read"):
        BENCH.unpack(struct.pack("<BI", 1, len(deep)) + deep)


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b"[" + b"9" * 5000 + b"]", b"\xff", b""]
)
def test_predictions_that_are_no_json_are_refused(text):
    with pytest.raises(MalformedError, match="not JSON"):
        SCORE.unpack(framed([[len(text)], "ScoreSettledMessage", [0, 0, 0, []]], text))
    with pytest.raises(MalformedError, match="not JSON"):
        SCORE.unpack(framed([[len(text)], "ScoreSettledMessage", [0, 0, [0], []]], text))


@pytest.mark.parametrize("lengths", [[5, -2], [2**62, 2**62], [4], [2]])
def test_rows_with_lengths_that_are_not_theirs_are_refused(lengths):
    blob = np.array(lengths, dtype="<i8").tobytes()
    with pytest.raises(MalformedError, match="rows with other lengths than they say"):
        SCORE.unpack(framed([[len(blob), 3], "ScoreRowsMessage", [0, [0, 1], None]], blob, b"abc"))


GENUINE = (
    HelloMessage("host"), GoMessage(12), NoteMessage("a line"), RowsMessage(b"x" * 80, 5, (0,), ("", "blue")),
    EndedMessage(facts(begins=(0,))), RefusedMessage(UsageError("no")),
)  # fmt: skip


def check_read_or_refused(frame):
    """Check that a frame is refused, or is a message that can be sent again unchanged."""
    try:
        found = BENCH.unpack(frame)
    except MalformedError:
        return
    again = BENCH.pack(found)
    assert type(found) in BENCH._kinds.values()
    assert again == BENCH.pack(BENCH.unpack(again))


@given(st.sampled_from(GENUINE), st.data())
def test_a_damaged_frame_is_a_message_or_refused(message, data):
    frame = bytearray(BENCH.pack(message))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(frame) - 1))
        match data.draw(st.sampled_from(("change", "cut", "grow"))):
            case "change":
                frame[place] = data.draw(st.integers(0, 255))
            case "cut":
                del frame[max(1, place) :]
            case _:
                frame[place:place] = data.draw(st.binary(max_size=8))
    check_read_or_refused(bytes(frame))


@given(st.sampled_from(sorted(BENCH._kinds)), JSON, st.lists(st.binary(max_size=8), max_size=3))
def test_fields_that_somebody_made_up_are_a_message_or_refused(name, fields, blobs):
    try:
        structure = orjson.dumps([[len(blob) for blob in blobs], name, fields])
    except TypeError:
        return
    check_read_or_refused(struct.pack("<BI", 1, len(structure)) + structure + b"".join(blobs))
