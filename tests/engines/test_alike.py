"""Replies that no person thought of: both engines give the same result."""

from urllib.parse import quote_from_bytes

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from epkit.core.samples.rows import Failure
from support.engine_harness import KINDS, execute, plain, requests
from support.fault_server import FaultServer
from support.faults import CHUNKED, COURSE, ODD, OK, raw

SEEDS = [OK, CHUNKED, OK + OK, raw("X-A: b"), *ODD.values()]
PIECES = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"0",
        b"5",
        b"-",
        b"+",
        b"\0",
        b"\xff",
        b"HTTP/1.1 200 OK\r\n",
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: 33\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: x\r\n",
    ),
    *(
        b"Connection: close\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"0\r\n\r\n",
        b"\r\n\r\n",
        b"1",
        b"close",
        b" chunked",
    ),
]


@st.composite
def replies(draw: st.DrawFn) -> bytes:
    """Damage a reply in up to three places."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.sampled_from([0, 0, 0, 1, 2, 7]))
        data = data[:at] + draw(st.sampled_from([b"", *PIECES])) + data[at + cut :]
    return data


@given(data=replies())
@example(data=raw("Content-Length: 33", "Content-Length: 33"))
@example(data=b"\r\n\r\n" + OK)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_engines_make_the_same_of_a_reply(fault_server: FaultServer, data: bytes) -> None:
    to = plain(fault_server)
    made = []
    for name in ("wire on asyncio", "httpx"):
        run = execute(KINDS[name], to, requests(to, [f"raw?hex={data.hex()}", "ok"]))
        first, second = run.outcomes
        made.append((Failure(first.failure), (first.status, first.body) * (not first.failure)))

        # The server closes the connection, perhaps while the next request is being sent.
        assert second.failure or second.body == COURSE, "the next reply is its own"

    assert made[0] == made[1], quote_from_bytes(data)
