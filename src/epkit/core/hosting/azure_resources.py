"""Resources of Azure's resource manager as JSON: the body of an update, and the differences between two of them."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

_READ_ONLY: Final = ("id", "name", "type", "systemData")
_READ_ONLY_PROPERTIES: Final = ("provisioningState", "scoringUri", "swaggerUri")


def put_body(resource: Mapping[str, Any], **properties: Any) -> dict[str, Any]:
    """Make the body of a PUT that changes only some properties of a resource.

    Args:
        resource: the reply to a GET. A PUT replaces the whole resource: a property that is left out is lost.
        properties: the new values.
    """
    body = {key: copy.deepcopy(value) for key, value in resource.items() if key not in _READ_ONLY}
    kept = {key: value for key, value in body["properties"].items() if key not in _READ_ONLY_PROPERTIES}
    body["properties"] = {**kept, **properties}
    return body


def differences(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """Yield the differences between two bodies as dotted paths; parts that only the second one has do not count."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key, value in before.items():
            yield from differences(value, after.get(key), f"{at}.{key}" if at else key)
    elif before != after:
        yield at
