"""Batches with the same failure wait until single rows show whether a row is the cause."""

import pytest

from epkit.core.score.batching import Batch, Chunk
from epkit.core.score.doubt import ENOUGH, Doubt


def batch(start: int, stop: int) -> Batch:
    return Batch(Chunk(0, [b"1"] * 1000), start, stop, 0)


def taken(doubt: Doubt[str], held: Batch, kind: int = 400, words: str = "bad", body: bytes = b"bad") -> bool:
    return doubt.take(held, "why", kind=kind, words=words, body=body)


def test_rows_are_asked_one_by_one_until_enough_have_failed() -> None:
    doubt = Doubt[str](proved=False)
    for n in range(ENOUGH):
        assert taken(doubt, batch(100 * n, 100 * n + 100))
    rows = []
    while not doubt.is_certain:
        row = doubt.probe()
        assert row is not None
        assert 1 == len(row)
        rows.append(row.start)
        assert taken(doubt, row)

    assert ENOUGH == len(rows) == len({row // 100 for row in rows}), "each of another batch"
    assert doubt.has_more
    held = sorted((each.start, each.stop) for each, _ in doubt.close())
    assert list(range(500)) == [place for start, stop in held for place in range(start, stop)], "no row is lost"
    assert 0 == doubt.held


def test_every_row_of_a_small_batch_is_asked_once() -> None:
    doubt = Doubt[str](proved=False)
    taken(doubt, batch(0, 3))
    rows = []
    while (row := doubt.probe()) is not None:
        rows.append(row.start)
        taken(doubt, row)

    assert [0, 1, 2] == sorted(rows)
    assert not doubt.is_certain
    assert not doubt.has_more


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        ({"body": b"other"}, True),
        ({"words": "other"}, True),
        ({"body": b"other", "words": "other"}, False),
        ({"kind": 500}, False),
    ],
)
def test_failures_are_alike_by_their_kind_and_their_words_or_their_body(other: dict[str, object], alike: bool) -> None:
    doubt = Doubt[str](proved=False)
    taken(doubt, batch(0, 9))

    assert alike is taken(doubt, batch(9, 18), **other)  # type: ignore[arg-type]


def test_there_is_no_doubt_once_a_row_has_a_prediction() -> None:
    assert not taken(Doubt[str](proved=True), batch(0, 9))
    doubt = Doubt[str](proved=False)
    doubt.close()
    assert not taken(doubt, batch(0, 9))
