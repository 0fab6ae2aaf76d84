"""The Python clients, as a user would write them.

`python python_clients.py aiohttp|httpx URL REQUESTS CONCURRENCY FILE`. Both run on uvloop, with one shared client and
one task per slot. Each task awaits one request after another.
"""

import asyncio
import json
import sys
import time
from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

JSON_BODY = {"Content-Type": "application/json"}
Post = Callable[[], Awaitable[int]]


async def closed_loop(post: Post, requests: int, concurrency: int) -> dict[str, float]:
    """Post *requests* times with *concurrency* in flight; return the values of `outputs.Measured`."""
    left = requests
    times_ns = array("q")

    async def slot() -> None:
        nonlocal left
        while left:
            left -= 1
            begun = time.perf_counter_ns()
            status = await post()
            times_ns.append(time.perf_counter_ns() - begun)
            if status != 200:
                raise SystemExit(f"status {status}")

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as slots:
        for _ in range(concurrency):
            slots.create_task(slot())
    took_s = time.perf_counter() - begun
    ordered = sorted(times_ns)
    return {
        "requests": requests,
        "requests_per_s": requests / took_s,
        "p50_ms": ordered[-(-requests * 50 // 100) - 1] / 1e6,
        "p99_ms": ordered[-(-requests * 99 // 100) - 1] / 1e6,
    }


async def with_aiohttp(url: str, requests: int, concurrency: int, body: bytes) -> dict[str, float]:
    """Load *url* through one `aiohttp.ClientSession`."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=concurrency, ssl=False)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post() -> int:
            async with session.post(url, data=body, headers=JSON_BODY) as reply:
                await reply.read()
                return reply.status

        return await closed_loop(post, requests, concurrency)


async def with_httpx(url: str, requests: int, concurrency: int, body: bytes) -> dict[str, float]:
    """Load *url* through one shared `httpx.AsyncClient`."""
    import httpx

    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(limits=limits, verify=False, timeout=60) as client:

        async def post() -> int:
            return (await client.post(url, content=body, headers=JSON_BODY)).status_code

        return await closed_loop(post, requests, concurrency)


def main() -> None:
    """Run the client that the first argument names, and print its figures as JSON."""
    library, url, requests, concurrency, payload = sys.argv[1:]
    load = {"aiohttp": with_aiohttp, "httpx": with_httpx}[library]
    body = Path(payload).read_bytes()
    print(json.dumps(uvloop.run(load(url, int(requests), int(concurrency), body))))


if __name__ == "__main__":
    main()
