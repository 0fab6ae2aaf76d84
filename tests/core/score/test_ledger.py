"""The ledger of rows for several workers: every row is written once, in order, whatever happens to the workers."""

from hypothesis import given, settings
from hypothesis import strategies as st

from epkit.core.replies.predictions import Failed
from epkit.core.score.batching import Chunk
from epkit.core.score.ledger import Ledger

WHY = Failed(reason="status", status=500, detail="it broke")
INVALID = Failed(reason="contract", status=0, detail="it is invalid")


class Written:
    """Collects the written rows, in order."""

    def __init__(self):
        self.rows = []

    def __call__(self, chunk, stop):
        for place in range(chunk.written, stop):
            why = chunk.reasons.get(place)
            self.rows.append((chunk.first + place, chunk.predictions[place] if why is None else why.reason))


def chunks_of(sizes, invalid=()):
    first = 0
    for size in sizes:
        chunk = Chunk(first, [b"%d" % n for n in range(first, first + size)])
        for n in set(invalid) & set(range(first, first + size)):
            chunk.fail(n - first, n - first + 1, INVALID)
        yield chunk
        first += size


def book(sizes, *, invalid=(), room_rows=10**6):
    written, chunks = Written(), chunks_of(sizes, invalid)
    return Ledger(lambda: next(chunks, None), written, room_rows=room_rows), written


def say(ledger, span, start, stop, failing=(), mark="p"):
    """Report the results of rows of a span, like a worker."""
    first = span.chunk.first + span.start
    reasons = {place: WHY for place in range(start, stop) if first + place in failing}
    predictions = [None if place in reasons else f"{mark}{first + place}" for place in range(start, stop)]
    return ledger.settle(span.number, start, predictions, reasons)


def test_spans_are_cut_in_order_and_not_across_chunks():
    ledger, _ = book([5, 3])

    assert [(0, 2), (2, 4), (4, 5), (0, 2), (2, 3)] == [
        (span.start, span.stop) for span in iter(lambda: ledger.take(2), None)
    ]
    assert ledger.is_cut_up


def test_what_comes_back_early_waits_for_what_is_before_it():
    ledger, written = book([4])
    first, second = ledger.take(2), ledger.take(2)
    say(ledger, second, 0, 2)
    ledger.flush()
    assert [] == written.rows
    say(ledger, first, 0, 1)
    ledger.flush()
    assert [(0, "p0")] == written.rows
    say(ledger, first, 1, 2)
    ledger.drain()

    assert [(n, f"p{n}") for n in range(4)] == written.rows


def test_a_span_that_is_taken_back_is_given_out_before_rows_that_were_not_and_without_what_is_settled():
    ledger, _ = book([10])
    span = ledger.take(6)
    say(ledger, span, 0, 2)
    ledger.take_back(span.number)
    again = ledger.take(3)
    rest = ledger.take(3)

    assert [(2, 5), (5, 6)] == [(again.start, again.stop), (rest.start, rest.stop)]
    fresh = ledger.take(3)
    assert (6, 9) == (fresh.start, fresh.stop)


def test_a_worker_that_was_given_up_and_speaks_all_the_same_is_not_heard():
    ledger, written = book([2])
    span = ledger.take(2)
    ledger.take_back(span.number)
    again = ledger.take(2)
    say(ledger, again, 0, 2, mark="q")
    assert say(ledger, span, 0, 2)
    ledger.drain()

    assert [(0, "q0"), (1, "q1")] == written.rows


def test_no_more_is_read_than_there_is_room_for():
    ledger, _ = book([4, 4, 4], room_rows=5)
    spans = [ledger.take(4), ledger.take(4)]
    assert ledger.take(4) is None
    assert not ledger.is_cut_up
    say(ledger, spans[0], 0, 4)
    ledger.drain()

    assert 8 == ledger.take(4).chunk.first


def test_invalid_rows_are_marked_in_a_span_and_none_begins_with_one():
    ledger, written = book([6], invalid=(0, 3, 5))
    span = ledger.take(9)

    assert (1, 6, b"\0\0\1\0\1") == (span.start, span.stop, span.settled)
    assert say(ledger, span, 0, 5)
    ledger.drain()
    assert [(0, "contract"), (1, "p1"), (2, "p2"), (3, "contract"), (4, "p4"), (5, "contract")] == written.rows
    assert 3 == ledger.failed_rows


@settings(max_examples=200)
@given(
    sizes=st.lists(st.integers(1, 12), max_size=6),
    invalid=st.sets(st.integers(0, 71)),
    failing=st.sets(st.integers(0, 71), max_size=10),
    room_rows=st.integers(1, 40),
    data=st.data(),
)
def test_every_row_is_written_once_and_in_order_whatever_happens(sizes, invalid, failing, room_rows, data):
    ledger, written = book(sizes, invalid=invalid, room_rows=room_rows)
    total = sum(sizes)
    held = {}  # spans of workers, and up to which row they have reported
    for _ in range(10 * total + 10):
        ledger.drain()
        if ledger.is_over:
            break
        may = ["take", *(["settle", "lose"] if held else [])]
        match data.draw(st.sampled_from(may)):
            case "take":
                span = ledger.take(data.draw(st.integers(1, 9)))
                if span is not None:
                    held[span.number] = [span, 0]
                elif held:
                    number = min(held)
                    span, said = held.pop(number)
                    assert say(ledger, span, said, len(span), failing)
            case "settle":
                number = data.draw(st.sampled_from(sorted(held)))
                span, said = held[number]
                stop = data.draw(st.integers(said + 1, len(span)))
                done = say(ledger, span, said, stop, failing)
                held[number][1] = stop
                assert done == (stop == len(span))
                if done:
                    del held[number]
            case "lose":
                number = data.draw(st.sampled_from(sorted(held)))
                ledger.take_back(number)
                del held[number]
        if data.draw(st.booleans()):
            ledger.flush()

        assert [n for n, _ in written.rows] == list(range(len(written.rows)))
    else:
        while not ledger.is_over:  # run until the end
            for span, said in held.values():
                say(ledger, span, said, len(span), failing)
            held.clear()
            while (span := ledger.take(5)) is not None:
                say(ledger, span, 0, len(span), failing)
                ledger.drain()
            ledger.drain()

    expected = [(n, "contract" if n in invalid else "status" if n in failing else f"p{n}") for n in range(total)]
    assert expected == written.rows
    assert sum(word in ("contract", "status") for _, word in expected) == ledger.failed_rows
    assert total == ledger.rows
