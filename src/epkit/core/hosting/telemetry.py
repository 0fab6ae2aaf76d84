"""Reads what the Application Insights exporter of the genuine server sends."""

import json
from collections.abc import Iterable

from epkit.core.hosting.deployments import LoggedRequest


def read_requests(lines: Iterable[str]) -> tuple[LoggedRequest, ...]:
    """Find the requests in telemetry.

    The fields of the request itself (`duration`, `responseCode`, `success`) are wrong, for the exporter measures its
    own span; the server's own figures are among the properties.
    """
    found = []
    for line in lines:
        try:
            item = json.loads(line)
            if item["data"]["baseType"] != "RequestData":
                continue
            properties = item["data"]["baseData"]["properties"]
            found.append(
                LoggedRequest(
                    time=properties["start_time"],
                    status=int(properties["resultCode"]),
                    duration_ms=duration_ms(properties["duration"]),
                    success=properties["success"] == "True",
                    name=properties["name"],
                    request_id=properties.get("Request Id", ""),
                    client_request_id=properties.get("Client Request Id", ""),
                    reply=properties.get("Response Value"),
                )
            )
        except (ValueError, KeyError, TypeError):
            continue  # half a line, or an item of another kind
    return tuple(found)


def duration_ms(text: str) -> float:
    """Read `[days.]HH:MM:SS.mmm` as milliseconds."""
    clock, _, millis = text.rpartition(".")
    days, _, clock = clock.rpartition(".")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return float((((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + int(millis))
