"""Samples that are divided among workers at random, sent and merged, give the report of the whole."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epkit.core.load.phases import PhaseTimes
from epkit.core.load.plan import WARMUP, Phase, Plan
from epkit.core.report.assembly import assemble
from epkit.core.report.live import Live
from epkit.core.report.summary import Summary
from epkit.core.samples.merging import Merger
from epkit.core.samples.rows import SAMPLE
from epkit.flows.bench.workers.main import BENCH_WORKERS
from epkit.flows.bench.workers.messages import DigestMessage, RowsMessage
from epkit.flows.bench.workers.streaming import Stream
from support.rows import MS, known, rows

PLAN = Plan(phases=(Phase(concurrency=4, requests=1000),), timeout_ns=10**9)
WARMED = Plan(phases=(Phase(name=WARMUP, duration_ns=500 * MS), Phase(duration_ns=10**9)), timeout_ns=10**9)
NAMES = ("", "blue", "green")


def mixed(n: int, seed: int) -> np.ndarray:
    """Make the rows of a run with some slots, in order of completion, with every kind of outcome."""
    rng = np.random.default_rng(seed)
    block = rows(n)
    block["end"] = np.cumsum(rng.integers(1, 7 * MS, n))  # no equal times: their order is undefined
    block["start"] = block["due"] = block["end"] - np.minimum(rng.integers(1, 40 * MS, n), block["end"])
    block["tcp"] = block["connected"] = block["start"]
    block["sent"] = block["start"] + 1000
    block["first"] = block["end"] - 10
    block["failure"] = np.where(rng.random(n) < 0.1, rng.integers(1, 10, n), 0)
    block["status"] = np.where(rng.random(n) < 0.1, 503, 200)
    block["deployment"] = rng.integers(0, 3, n)
    block["received"], block["body"], block["payload"] = 300, rng.integers(90, 92, n), np.arange(n) % 3
    return block


MESSAGES = BENCH_WORKERS.messages


class Heard(list):
    """The messages of a worker, as they arrive."""

    def send(self, message):
        self.append(MESSAGES.unpack(MESSAGES.pack(message)))


def told_by(block: np.ndarray, plan: Plan, exact: int | None, pieces: int, names=NAMES, document=None) -> list:
    """Return the messages of a worker that has measured a block."""
    channel = Heard()
    begins = [0, 500 * MS][: len(plan.phases)]
    stream = Stream(plan, exact, channel, PhaseTimes(begins))
    stream.deployments, stream.document = list(names), document
    now = 0
    for piece in np.array_split(block, pieces):
        stream.add(piece.copy())
        now += 600 * MS
        stream.ship(int(piece["end"].max()) if len(piece) else 0, now=now)
    stream.ship(int(block["end"].max()) if len(block) else 0)
    return list(channel)


def digest_of(block: np.ndarray, plan: Plan = PLAN) -> DigestMessage:
    """Return a worker's message about a block of which it sends no row."""
    (digest,) = (message for message in told_by(block, plan, 0, 1) if isinstance(message, DigestMessage))
    return digest


def merged(workers: list[list], order: list[int]) -> Summary:
    """Merge messages of workers, in a given order of the workers."""
    summary = Summary()
    merger = Merger(range(len(workers)), summary.add)
    queues = [list(messages) for messages in workers]
    for worker in [*order, *(w for w, queue in enumerate(queues) for _ in queue)]:
        if not queues[worker]:
            continue
        match queues[worker].pop(0):
            case RowsMessage(data, complete_ns):
                merger.add(worker, np.frombuffer(data, dtype=SAMPLE), complete_ns)
            case DigestMessage() as digest:
                summary.merge(digest.whole)
    for worker in range(len(workers)):
        merger.end(worker)
    return summary


def plain(summary: Summary, block: np.ndarray):
    return assemble(known(block, deployments=NAMES), summary)


@settings(max_examples=40)
@given(st.integers(1, 400), st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**32), st.data())
def test_rows_that_are_split_and_merged_make_the_same_report_to_the_last_bit(n, workers, pieces, seed, data):
    block = mixed(n, seed)
    whole = Summary()
    whole.add(block)
    of = np.random.default_rng(seed + 1).integers(0, workers, n)
    messages = [told_by(block[of == worker], PLAN, None, pieces) for worker in range(workers)]
    order = data.draw(st.lists(st.integers(0, workers - 1), max_size=20))

    assert plain(whole, block) == plain(merged(messages, order), block)


@settings(max_examples=25)
@given(st.integers(1, 400), st.integers(1, 5), st.integers(0, 60), st.integers(1, 6), st.integers(0, 2**32))
def test_histograms_that_are_merged_are_those_of_the_whole(n, workers, exact, pieces, seed):
    block = mixed(n, seed)
    whole = Summary()
    whole.add(block)
    of = np.random.default_rng(seed + 1).integers(0, workers, n)
    document = whole.counters.document
    found = merged([told_by(block[of == w], PLAN, exact, pieces, document=document) for w in range(workers)], [])
    one, other = whole.histograms(), found.histograms()

    assert one.keys() == other.keys()
    for name, histogram in one.items():
        for slot in histogram.__slots__:
            assert np.array_equal(getattr(histogram, slot), getattr(other[name], slot)), (name, slot)
    expected, report = plain(whole, block), plain(found, block)
    assert expected.counts == report.counts
    sure = {} if document is not None else {"document_bytes": 0}  # without a 2xx each uses its own first reply
    assert replace(expected.http, length_differs=0, **sure) == replace(report.http, length_differs=0, **sure)
    assert expected.throughput == report.throughput
    if document is not None:
        assert expected.http.length_differs <= report.http.length_differs <= n
    for name, deployment in expected.deployments.items():
        assert (deployment.ok, deployment.failed) == (report.deployments[name].ok, report.deployments[name].failed)
    for window, more in zip(expected.series, report.series, strict=True):
        assert (window.requests_per_s, window.failed) == (more.requests_per_s, more.failed)
        assert more.p99 == (None if window.p99 is None else pytest.approx(window.p99, rel=1e-2))


def test_what_is_counted_of_each_phase_arrives_with_it():
    block = mixed(300, 7)
    digest = digest_of(block, WARMED)

    assert 300 == digest.parts[0].rows + digest.parts[1].rows
    assert digest.whole.rows == digest.parts[1].rows == int((block["due"] >= 500 * MS).sum())


def test_deployments_have_the_names_of_who_saw_them():
    block = mixed(300, 8)
    whole, found = Summary(), Summary()
    whole.add(block)
    digest = digest_of(block)
    found.merge(digest.whole, [0, 2, 1])

    one, other = plain(whole, block).deployments, plain(found, block).deployments
    assert (one["blue"].ok, one["green"].ok) == (other["green"].ok, other["blue"].ok)
    assert one["blue"].service.count == other["green"].service.count


def test_a_display_is_told_of_what_was_only_counted():
    block = mixed(300, 9)
    rows_seen, counted = Live(), Live()
    rows_seen.add(block)
    digest = digest_of(block)
    counted.merge(digest.whole, digest.ended_ns)
    one, other = rows_seen.view(), counted.view()

    assert (one.done, one.elapsed_s, dict(one.failures)) == (other.done, other.elapsed_s, dict(other.failures))
    assert one.percentiles_ms == other.percentiles_ms
    assert one.in_flight == pytest.approx(other.in_flight)
