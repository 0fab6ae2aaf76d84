"""The judgement of a reply: each kind of failure has its kind and its reason."""

import gzip
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.replies import judging
from epkit.core.replies.finding import FoundPredictions
from epkit.core.replies.judging import PLAIN_BYTES, judge_reply, judge_status, read_reply, unpack
from epkit.core.samples.rows import Failure

NONE, TRANSPORT, EMPTY = Failure.NONE, Failure.TRANSPORT, Failure.EMPTY
APPLICATION, CONTRACT, MISMATCH = Failure.APPLICATION, Failure.CONTRACT, Failure.MISMATCH
TWO = b'{"result": ["yes", "no"]}'
DOUBLE = json.dumps(TWO.decode()).encode()


def head(coding: str = "", kind: str = "application/json") -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}"] + [f"Content-Encoding: {coding}"] * bool(coding)
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODINGS = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    " GZip ": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
}


def test_only_2xx_is_a_success() -> None:
    good = [status for status in range(1000) if judge_status(status) is NONE]

    assert list(range(200, 300)) == good
    assert Failure.STATUS is judge_status(302)


@pytest.mark.parametrize(
    ("body", "rows", "failure", "reason"),
    [
        (TWO, 2, NONE, ""),
        (DOUBLE, 2, NONE, ""),
        (TWO, None, NONE, ""),
        (b'{"status": "fine"}', None, NONE, ""),
        (b'{"status": "fine"}', 2, CONTRACT, "no list of predictions is recognised"),
        (b'{"error": null, "result": [1, 2]}', 2, NONE, ""),
        (b"", 2, EMPTY, "no body"),
        (b"{", 2, CONTRACT, "the body is not"),
        (b"  ", 2, CONTRACT, "the body is not"),
        (b"\xff\xfe", 2, CONTRACT, "the body is not"),
        (b"[" * 100_000, 2, CONTRACT, "the body is not"),
        (b'{"error": "no such column"}', 2, APPLICATION, "no such column"),
        (json.dumps('{"error": "no such column"}').encode(), 2, APPLICATION, "no such column"),
        (b'{"error": {"code": 7}, "result": [1, 2]}', 2, APPLICATION, '"code": 7'),
        (TWO, 3, MISMATCH, "2 predictions for 3 rows"),
        (DOUBLE, 1, MISMATCH, "2 predictions for 1 rows"),
        (b'{"result": []}', 2, MISMATCH, "0 predictions for 2 rows"),
    ],
)
def test_a_reply_is_judged_by_what_it_says(body: bytes, rows: int | None, failure: Failure, reason: str) -> None:
    found, words = judge_reply(head(), body, rows)

    assert failure is found
    assert reason in words
    assert bool(found) == bool(words), "a failure has its reason, and nothing else has"


@pytest.mark.parametrize("kind", ["text/plain", "text/html; charset=utf-8", ""])
def test_text_that_does_not_claim_to_be_json_answers_a_request_without_rows(kind: str) -> None:
    assert (NONE, "") == judge_reply(head(kind=kind), b"Healthy", None, sent_json=False)
    assert CONTRACT is judge_reply(head(kind=kind), b"Healthy", 2)[0]


@pytest.mark.parametrize("kind", ["text/plain", ""])
def test_json_is_looked_into_whatever_it_is_called(kind: str) -> None:
    assert (APPLICATION, "boom") == judge_reply(head(kind=kind), b'{"error": "boom"}', 2)


@pytest.mark.parametrize("kind", ["Application/JSON; charset=utf-8", "application/problem+json", "text/json"])
def test_whatever_claims_to_be_json_must_be(kind: str) -> None:
    assert judge_reply(head(kind=kind), b"Healthy", 2)[0] is CONTRACT


@pytest.mark.parametrize("coding", CODINGS)
def test_a_content_coding_is_taken_off_before_the_reply_is_judged(coding: str) -> None:
    pack = CODINGS[coding]

    assert [NONE, MISMATCH] == [judge_reply(head(coding), pack(TWO), rows)[0] for rows in (2, 3)]


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "Deflate"])
class TestACodingThatIsBroken:
    def test_bytes_that_are_none_of_it_are_a_failure_of_transport(self, coding: str, kind: str) -> None:
        failure, reason = judge_reply(head(coding, kind), TWO, 2)

        assert failure is TRANSPORT
        assert coding in reason.replace("deflate", coding)

    def test_a_body_that_ends_too_early_is_a_failure_of_transport(self, coding: str, kind: str) -> None:
        packed = CODINGS[coding](TWO * 100)

        assert {TRANSPORT} == {judge_reply(head(coding, kind), packed[:-cut], 2)[0] for cut in (1, 4, len(packed) // 2)}

    def test_nothing_at_all_once_unpacked_is_empty(self, coding: str, kind: str) -> None:
        failure, reason = judge_reply(head(coding, kind), CODINGS[coding](b""), 2)

        assert failure is EMPTY
        assert "no body" in reason


def test_a_wrong_checksum_is_a_failure_of_transport() -> None:
    packed = bytearray(gzip.compress(TWO))
    packed[-5] ^= 1

    assert judge_reply(head("gzip"), bytes(packed), 2)[0] is TRANSPORT


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip"])
def test_a_coding_that_cannot_be_read_is_named(coding: str) -> None:
    failure, reason = judge_reply(head(coding), TWO, 2)

    assert failure is TRANSPORT
    assert coding in reason


@given(st.sampled_from(sorted(CODINGS)), st.binary(), st.booleans())
def test_what_was_packed_is_unpacked_again(coding: str, body: bytes, whole: bool) -> None:
    assert body == unpack(coding, CODINGS[coding](body), whole=whole)


@given(st.sampled_from(["gzip", "deflate"]), st.binary(min_size=1), st.data())
def test_the_beginning_of_a_packed_body_can_be_shown(coding: str, body: bytes, data: st.DataObject) -> None:
    packed = CODINGS[coding](body)
    cut = data.draw(st.integers(2, len(packed) - 1))

    assert body.startswith(unpack(coding, packed[:cut]))
    with pytest.raises(ValueError):
        unpack(coding, packed[:cut], whole=True)


@given(st.integers(-3, 3), st.sampled_from(["gzip", "deflate", "Deflate"]), st.booleans())
def test_exactly_the_largest_body_is_unpacked_and_not_a_byte_more(by: int, coding: str, whole: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "PLAIN_BYTES", 2000)
        packed = CODINGS[coding](b"0" * (2000 + by))

        if by > 0:
            with pytest.raises(ValueError, match="over"):
                unpack(coding, packed, whole=whole)
        else:
            assert b"0" * (2000 + by) == unpack(coding, packed, whole=whole)


def test_a_bomb_is_a_failure_and_does_not_fill_the_memory() -> None:
    packer = zlib.compressobj(9, wbits=31)
    mebibyte = bytes(2**20)
    bomb = b"".join([*(packer.compress(mebibyte) for _ in range(192)), packer.flush()])
    assert len(bomb) < 2**18
    tracemalloc.start()
    try:
        failure, reason = judge_reply(head("gzip"), bomb, 2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (TRANSPORT, "the unpacked reply is over 16 MiB") == (failure, reason)
    assert peak < 2.5 * PLAIN_BYTES, "zlib joins the pieces of what it wrote, which takes them twice"


@pytest.mark.parametrize("depth", [1, 200, 900, 1010, 50_000])
def test_no_depth_of_nesting_is_too_much(depth: int) -> None:
    failure, reason = judge_reply(head(), b'{"error":' + b"[" * depth + b"7" + b"]" * depth + b"}", 2)

    assert failure in (APPLICATION, CONTRACT)
    assert reason


def test_a_reason_can_always_be_written() -> None:
    failure, reason = judge_reply(head(), b'{"error": "half a pair: \\ud83d"}', 2)

    assert (APPLICATION, b"half a pair: ?") == (failure, reason.encode())


BODIES = st.binary() | st.sampled_from([TWO, DOUBLE, b"[NaN]", b'{"error": [1]}', b'"\\ud800"', b"1" * 5000])
HEADS = st.binary() | st.builds(
    head, st.sampled_from([*CODINGS, "br"]), st.sampled_from(["application/json", "text/plain"])
)


@given(
    HEADS, BODIES, st.sampled_from([bytes, gzip.compress, zlib.compress, raw_deflate]), st.none() | st.integers(0, 3)
)
def test_no_reply_raises(head: bytes, body: bytes, pack, rows: int | None) -> None:  # type: ignore[no-untyped-def]
    failure, reason = judge_reply(head, pack(body), rows)

    assert bool(failure) == bool(reason)
    assert reason.encode().decode() == reason
    assert failure not in (Failure.CONNECT, Failure.TLS, Failure.TIMEOUT, Failure.STATUS), "others judge these"


@given(BODIES, st.none() | st.integers(0, 3))
def test_a_judgement_does_not_depend_on_the_coding(body: bytes, rows: int | None) -> None:
    verdicts = {judge_reply(head(coding), pack(body), rows)[0] for coding, pack in CODINGS.items()}

    assert 1 == len(verdicts)


class TestWhatIsNoPrediction:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"result": [1, null]}', "row 1: null is no prediction"),
            (b'{"result": [NaN, 1]}', "row 0: NaN is no prediction"),
            (b'{"result": ["inf", "x"]}', "row 0: inf is no prediction"),
            (b'{"result": [-Infinity, 1]}', "row 0: -Infinity is no prediction"),
            (b'{"result": [[0.5, 0.5], [0.5, NaN]]}', "row 1: NaN at 1 is no prediction"),
            (b'{"outputs": [{"name": "y", "shape": [2], "datatype": "FP64", "data": [1.0, null]}]}', "row 1: null"),
        ],
    )
    def test_fails_the_request(self, body: bytes, reason: str) -> None:
        failure, words = judge_reply(head(), body, 2)

        assert (EMPTY, True) == (failure, words.startswith(reason))

    def test_is_of_no_interest_where_nothing_was_asked_for(self) -> None:
        assert (NONE, "") == judge_reply(head(), b'{"data": [null]}', None, sent_json=False)


OIP_REPLY = b'{"outputs": [{"name": "y", "shape": [2, 1], "datatype": "FP64", "data": [4.0, 9.0]}]}'


def test_the_first_dimension_of_tensors_counts_their_rows() -> None:
    assert [NONE, MISMATCH] == [judge_reply(head(), OIP_REPLY, rows)[0] for rows in (2, 1)]


SSE = "text/event-stream; charset=utf-8"


class TestAStreamOfEvents:
    @pytest.mark.parametrize(
        "body",
        [
            b'data: {"token": "a"}\n\ndata: {"token": "b"}\n\ndata: [DONE]\n\n',
            b'event: message\r\ndata: {"token":\r\ndata: "a"}\r\n\r\n: a comment\r\n\r\n',
            b"data: just words\n\ndata: [DONE]",
            b'\xef\xbb\xbfdata: {"error": null}\n\n',
        ],
    )
    @pytest.mark.parametrize("rows", [None, 1, 7])
    def test_that_is_good_is_no_failure_whatever_its_length(self, body: bytes, rows: int | None) -> None:
        assert (NONE, "") == judge_reply(head(kind=SSE), body, rows)

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'data: {"token": "a"}\n\ndata: {"error": {"message": "no room"}}\n\n', 'event 2: {"message": "no room"}'),
            (b'data: {"error": "no room"}', "event 1: no room"),
            (b"event: error\ndata: no room\n\n", "event 1: no room"),
        ],
    )
    def test_with_an_error_in_it_is_one(self, body: bytes, reason: str) -> None:
        assert (APPLICATION, reason) == judge_reply(head(kind=SSE), body, None)

    def test_without_an_event_is_empty(self) -> None:
        assert (EMPTY, "the stream has no event") == judge_reply(head(kind=SSE), b": ping\n\n", None)


NDJSON = "application/x-ndjson"


class TestLinesOfJson:
    @pytest.mark.parametrize(
        ("body", "predictions"),
        [
            (b'{"prediction": 1}\n{"prediction": 2}\n', [1, 2]),
            (b'{"predictions": [1, 2]}\n{"predictions": [3]}\n', [1, 2, 3]),
            (b'"yes"\n\n"no"', ["yes", "no"]),
            (b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n', [{"a": 1, "b": 2}, {"a": 3, "b": 4}]),
            (b'{"prediction": 1}\n', [1]),
        ],
    )
    def test_have_a_prediction_each_or_several(self, body: bytes, predictions: list[object]) -> None:
        found = read_reply(head(kind=NDJSON), body, len(predictions))

        assert isinstance(found, FoundPredictions)
        assert predictions == found.values

    @pytest.mark.parametrize(
        ("body", "failure", "reason"),
        [
            (b'{"prediction": 1}\n{"error": "bad"}', APPLICATION, "line 2: bad"),
            (b'{"prediction": 1}\n{"predi', CONTRACT, "line 2 of the reply is not JSON"),
            (b'"a"\n"b"\n"c"', MISMATCH, "3 predictions for 2 rows"),
            (b" \n ", EMPTY, "the reply has no line"),
        ],
    )
    def test_with_something_wrong_say_where(self, body: bytes, failure: Failure, reason: str) -> None:
        assert (failure, reason) == judge_reply(head(kind=NDJSON), body, 2)


@pytest.mark.parametrize(
    ("body", "predictions"),
    [
        (b"0.25\n0.5\n", [0.25, 0.5]),
        (b"0.25,0.5", [0.25, 0.5]),
        (b'yes\r\n"no, not yet"\r\n', ["yes", "no, not yet"]),
        (b"0.25,0.75\n0.5,0.5", [[0.25, 0.75], [0.5, 0.5]]),
        (b"prediction\nyes\nno", ["yes", "no"]),
        (b"no,yes\n0.25,0.75\n0.5,0.5", [{"no": 0.25, "yes": 0.75}, {"no": 0.5, "yes": 0.5}]),
        (b"007\n1e400\n", ["007", float("inf")]),
    ],
)
def test_a_reply_in_csv_has_a_prediction_a_line(body: bytes, predictions: list[object]) -> None:
    found = read_reply(head(kind="text/csv; charset=utf-8"), body, 2)

    assert isinstance(found, FoundPredictions)
    assert predictions == found.values


PAGE = b"<!DOCTYPE html>\n<html><head><title>\n Sign in to\n your account &amp; more</title></head><body></body></html>"


@pytest.mark.parametrize("kind", ["text/html", "application/json", ""])
def test_a_page_for_a_request_in_json_is_a_failure_that_quotes_its_title(kind: str) -> None:
    verdict = judge_reply(head(kind=kind), PAGE, None)

    assert (CONTRACT, 'the reply is a page of HTML, "Sign in to your account & more", not JSON') == verdict


def test_a_page_for_a_request_without_a_body_is_a_reply() -> None:
    assert (NONE, "") == judge_reply(head(kind="text/html"), PAGE, None, sent_json=False)
    assert CONTRACT is judge_reply(head(kind="text/html"), b"<p>no title", None)[0]


class TestAcceptedForLater:
    @pytest.mark.parametrize("name", ["Location", "Operation-Location", "Azure-AsyncOperation"])
    @pytest.mark.parametrize("body", [b"", b'{"id": 7}', b"queued"])
    def test_is_named_as_what_it_is(self, name: str, body: bytes) -> None:
        block = f"HTTP/1.1 202 Accepted\r\n{name}: https://host/jobs/7?sig=s3cr3t&n=1\r\n\r\n".encode()
        failure, reason = judge_reply(block, body, 2)

        assert EMPTY is failure
        assert reason.startswith("202, accepted for later: nothing is scored yet; the result is to be at https://host/")
        assert "s3cr3t" not in reason

    def test_is_not_said_of_a_reply_with_predictions(self) -> None:
        assert (NONE, "") == judge_reply(b"HTTP/1.1 202 Accepted\r\nLocation: /jobs/7\r\n\r\n", TWO, 2)

    def test_is_not_said_without_a_place_for_the_result(self) -> None:
        assert CONTRACT is judge_reply(b"HTTP/1.1 202 Accepted\r\n\r\n", b'{"id": 7}', 2)[0]


def test_a_reply_with_an_index_is_not_counted_before_it_is_joined() -> None:
    reply = b'{"Results": {"forecast": [1, 2], "index": [{"a": 1}, {"a": 2}]}}'

    assert FoundPredictions([1, 2], [{"a": 1}, {"a": 2}]) == read_reply(head(), reply, 3)
    assert MISMATCH is judge_reply(head(), reply, 3)[0]


def test_predictions_are_masked_by_what_their_reply_says() -> None:
    found = read_reply(head(), TWO, 2, mask=lambda body, values: [*values, len(body)])

    assert FoundPredictions(["yes", "no", len(TWO)]) == found


TEXTS = ["text/event-stream", "application/jsonlines", "text/csv", "text/html", "application/json", ""]


@given(
    st.sampled_from(TEXTS),
    st.text(alphabet='data:event\n\r[]{}",<>0.5 errorDONE', max_size=60).map(str.encode) | st.binary(max_size=60),
    st.none() | st.integers(0, 3),
    st.booleans(),
)
def test_no_text_raises(kind: str, body: bytes, rows: int | None, sent_json: bool) -> None:
    failure, reason = judge_reply(head(kind=kind), body, rows, sent_json=sent_json)

    assert bool(failure) == bool(reason)
    assert reason.encode().decode() == reason
