"""JSON as text."""

import pytest

from epkit.reporters import json
from support.goldens import check


def test_golden():
    document = {
        "format": "epkit.report/1",
        "run": {"target": "http://h/é"},
        "ci95": {"50": [1.5, 2.0], "99": None},
    }

    check("json.json", json.render(document))


def test_what_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json.render({"p99": float("inf")})
