"""Values from backends: endpoints, traffic, and the new lines of a log."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.hosting.deployments import Deployment, Endpoint, Keys, Token, parse_traffic, plain, unseen
from epkit.core.http.secret import Secret
from support.canary import CANARY


def test_traffic_is_read():
    assert {"blue": 90, "green": 10} == parse_traffic("blue=90, green=10")
    assert {"blue": 0} == parse_traffic("blue=0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("blue", "traffic is written NAME=PERCENT"),
        ("blue=", "traffic is written NAME=PERCENT"),
        ("=100", "traffic is written NAME=PERCENT"),
        ("blue=-5", "traffic is written NAME=PERCENT"),
        ("blue=1.5", "traffic is written NAME=PERCENT"),
        ("blue=٣", "traffic is written NAME=PERCENT"),
        ("", "traffic is written NAME=PERCENT"),
        ("blue=50,blue=50", "blue is named twice"),
        ("blue=90,green=20", "the percents are 110 together, not 100"),
    ],
)
def test_traffic_that_is_none_is_refused(text: str, said: str):
    with pytest.raises(ValueError, match=said):
        parse_traffic(text)


LINES = st.lists(st.sampled_from("abc"), max_size=8).map(tuple)


@given(LINES, LINES)
def test_what_is_appended_is_unseen(before: tuple[str, ...], more: tuple[str, ...]):
    found = unseen(before, before + more)

    assert more[len(more) - len(found) :] == found
    if len(set(before + more)) == len(before + more):
        assert more == found


@given(LINES)
def test_nothing_new_is_nothing(lines: tuple[str, ...]):
    assert () == unseen(lines, lines)


def test_a_log_that_was_cut_at_its_beginning_goes_on_where_it_was():
    assert ("5", "6") == unseen(("1", "2", "3", "4"), ("3", "4", "5", "6"))
    assert ("x", "y") == unseen(("1", "2"), ("x", "y"))


def test_values_become_json_without_their_secrets():
    deployment = Deployment(name="blue", state="Succeeded", traffic=100)
    endpoint = Endpoint(
        name="bank", backend="local", state="Healthy", scoring_uri=None, swagger_uri=None, auth="key",
        app_insights=None, deployments=(deployment,),
    )  # fmt: skip
    made = plain({"endpoint": endpoint, "keys": Keys(primary=Secret(CANARY), secondary=Secret(CANARY))})

    assert "blue" == made["endpoint"]["deployments"][0]["name"]
    assert {"primary": "***", "secondary": "***"} == made["keys"]
    assert CANARY not in json.dumps(made)
    assert CANARY not in repr(Token(text=Secret(CANARY), refresh_at_s=0, expires_at_s=0))
