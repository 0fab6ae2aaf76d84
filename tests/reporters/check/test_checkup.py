"""A checkup as text and as JSON."""

import json

from epkit.core.checkup import Checkup, Step
from epkit.reporters.check import json as checkup_json
from epkit.reporters.check import text as checkup_text

CHECKUP = Checkup(
    target="bank (https://bank.example/score)",
    steps=(
        Step(name="name", ok=True, ms=12.3456, detail="bank.example is 192.0.2.1"),
        Step(name="tls", ok=True, ms=1234.5, detail="TLSv1.3", advice="the certificate expires in 3 days: renew it"),
        Step(name="key", ok=False, ms=4, detail="401 Unauthorized", advice="the key is wrong"),
        Step(name="contract", ok=None, ms=None, detail="not tried"),
    ),
)


def test_text_is_a_line_a_step_and_one_for_what_to_do():
    assert (
        "bank (https://bank.example/score)\n"
        "name      ok           12.3 ms  bank.example is 192.0.2.1\n"
        "tls       warning   1,234.5 ms  TLSv1.3\n"
        "          -> the certificate expires in 3 days: renew it\n"
        "key       FAILED        4.0 ms  401 Unauthorized\n"
        "          -> the key is wrong\n"
        "contract  -                     not tried\n"
    ) == checkup_text.render(CHECKUP)


def test_json_is_the_document():
    document = json.loads(checkup_json.render(CHECKUP))

    assert ("epkit.check/1", "bank (https://bank.example/score)") == (document["format"], document["target"])
    assert {
        "name": "name", "ok": True, "ms": 12.346, "detail": "bank.example is 192.0.2.1", "advice": None
    } == document["steps"][0]  # fmt: skip
    assert {"name": "contract", "ok": None, "ms": None, "detail": "not tried", "advice": None} == document["steps"][3]


def test_the_first_failure_is_the_cause():
    assert "key" == CHECKUP.failed.name
    assert None is Checkup(target="x", steps=CHECKUP.steps[:2]).failed
