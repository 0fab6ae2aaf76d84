"""Requests are found in telemetry, with the server's own figures."""

import json

import pytest

from epkit.core.hosting.telemetry import duration_ms, read_requests

KEY = "00000000-0000-0000-0000-000000000001"
REQUEST = {
    "iKey": KEY,
    "data": {
        "baseType": "RequestData",
        "baseData": {
            # The exporter measures only its own span.
            "duration": "0.00:00:00.000", "responseCode": "0", "success": True,
            "properties": {
                "start_time": "2026-01-01T00:00:00Z", "duration": "00:00:01.023", "resultCode": "500",
                "success": "False", "name": "/score", "Request Id": "r", "Client Request Id": "c",
                "Response Value": "no",
            },
        },
    },
}  # fmt: skip


def test_half_a_line_is_passed_over():
    line = json.dumps(REQUEST)

    assert 1 == len(list(read_requests([line[:50], "null", line])))


@pytest.mark.parametrize(
    "change",
    [{"duration": 3}, {"duration": "9" * 400 + ":1:1.1"}, {"resultCode": 500}, {"name": None}, {"start_time": []}],
)
def test_a_line_of_another_kind_is_passed_over(change):
    properties = {**REQUEST["data"]["baseData"]["properties"], **change}
    other = json.dumps({"data": {"baseType": "RequestData", "baseData": {"properties": properties}}})

    assert [] == list(read_requests([other, "[" * 100_000, '{"data": {"baseType": "RequestData", "baseData": 1}}']))


@pytest.mark.parametrize(
    ("text", "ms"), [("00:00:00.003", 3), ("00:01:00.000", 60_000), ("2.01:00:00.001", 49 * 3_600_000 + 1)]
)
def test_a_duration_is_read(text: str, ms: float):
    assert ms == duration_ms(text)
