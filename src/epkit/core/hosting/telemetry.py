"""Reads the data that the inference server's Application Insights exporter sends."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from epkit.core.hosting.deployments import LoggedRequest
from epkit.core.json.records import Record, loads_record

_DURATION: Final = re.compile(r"(?:[0-9]{1,9}\.)?[0-9]{1,3}:[0-9]{1,3}:[0-9]{1,3}\.[0-9]{1,9}")


def read_requests(lines: Iterable[str]) -> Iterator[LoggedRequest]:
    """Find the requests in telemetry; incomplete lines and items of other kinds are skipped.

    The fields of the request itself (`duration`, `responseCode`, `success`) are wrong: the exporter measures its own
    span. The server's own values are among the properties.
    """
    for line in lines:
        try:
            data = Record(loads_record(line.encode("utf-8", "replace"))).object("data")
            if data.get("baseType") == "RequestData":
                yield _request(Record(Record(data).object("baseData")).object("properties"))
        except ValueError:
            continue


def _request(properties: Mapping[str, Any]) -> LoggedRequest:
    record = Record(properties)
    reply = properties.get("Response Value")
    return LoggedRequest(
        time=record.text("start_time"),
        status=int(record.text("resultCode")),
        duration_ms=duration_ms(record.text("duration")),
        success=record.text("success") == "True",
        name=record.text("name"),
        request_id=record.text("Request Id", default=""),
        client_request_id=record.text("Client Request Id", default=""),
        reply=None if reply is None else record.text("Response Value"),
    )


def duration_ms(text: str) -> float:
    """Read `[days.]HH:MM:SS.mmm` as milliseconds.

    Raises:
        ValueError: it has another form.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError("no duration of the exporter's")
    clock, _, millis = text.rpartition(".")
    days, _, clock = clock.rpartition(".")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return float((((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + int(millis))
