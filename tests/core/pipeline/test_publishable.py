"""The listed parameters that callers of a published pipeline may set: never a path, a command or a gate."""

import pytest

from epkit.core.pipeline.config import PIPELINE_KEYS, TRAIN_KINDS
from epkit.core.pipeline.publishable import SETTABLE, Publishable, changes_of, check_bounds, read_publishable

ALL = tuple(Publishable(key=key) for key in SETTABLE)


def test_settable_keys_are_those_of_the_training_and_of_its_kinds():
    assert dict(SETTABLE) == {
        f"train.{key}": TRAIN_KINDS[key] for key in (each.removeprefix("train.") for each in SETTABLE)
    }


@pytest.mark.parametrize(
    "key",
    [
        *PIPELINE_KEYS,
        "train.export",
        "train.drop",
        "train.workers",
        "train.positive",
        "deploy.env",
        "bench.requests",
        "gate.x",
        "",
        " ",
        "train.runs=3",
        "data<=3",
        "../x",
    ],
)
def test_nothing_else_can_be_listed(key):
    with pytest.raises(ValueError, match="cannot be set by callers"):
        read_publishable([key])


@pytest.mark.parametrize(
    "entry", ["train.runs<=0", "train.runs<=x", "train.runs<=inf", "train.time_limit<=never", "train.seed<=3"]
)
def test_a_bound_is_a_number_or_a_time_of_a_key_that_costs_time(entry):
    with pytest.raises(ValueError, match=r"bound"):
        read_publishable([entry])


def test_a_key_is_listed_once():
    with pytest.raises(ValueError, match=r"train\.runs is listed twice"):
        read_publishable(["train.runs", "train.runs<=4"])


def test_what_is_listed_is_read_with_its_bound():
    found = read_publishable(["train.runs<=50", " train.time_limit <= 30m", "train.seed"])

    expected = (
        Publishable(key="train.runs", most=50),
        Publishable(key="train.time_limit", most=1800),
        Publishable(key="train.seed"),
    )
    assert expected == found


@pytest.mark.parametrize(
    ("name", "value", "change"),
    [
        ("train.runs", 10, "train.runs=10"),
        ("train.runs", "10", "train.runs=10"),
        ("train.balanced", "True", "train.balanced=true"),
        ("train.balanced", False, "train.balanced=false"),
        ("train.holdout", "0.1", "train.holdout=0.1"),
        ("train.test_size", 1e-3, "train.test_size=0.001"),
        ("train.threshold", "0.5", 'train.threshold="0.5"'),
        ("train.threshold", "recall>=0.8", 'train.threshold="recall>=0.8"'),
        ("train.metric", 'a"b\\', r'train.metric="a\"b\\"'),
    ],
)
def test_a_parameter_becomes_a_change(name, value, change):
    assert (change,) == changes_of({name: value}, ALL)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        "",
        "[1]",
        "1\n2",
        "x" * 201,
        "1; rm -rf /",
        "\ud800",
        "$(id)",
        float("nan"),
        float("inf"),
        2**70,
        "\x00",
        "{ a = 1 }",
    ],
)
def test_what_no_key_holds_is_refused_with_its_name(value):
    with pytest.raises(ValueError, match=r"^train\.runs( must be |: )"):
        changes_of({"train.runs": value}, ALL)


@pytest.mark.parametrize(
    "name", ["gate", "data", "train.export", "custom", "deploy.endpoint", "train.runs\n", "__class__"]
)
def test_what_is_not_listed_is_refused_with_its_name(name):
    with pytest.raises(ValueError, match="is not a parameter that may be set") as caught:
        changes_of({name: 1}, ALL)

    assert str(caught.value).startswith(ascii(name)[1:-1])
    with pytest.raises(ValueError, match="publishable in epkit"):
        changes_of({name: 1}, ())


@pytest.mark.parametrize(
    ("before", "after", "publishable", "passes"),
    [
        ({"runs": 30}, {"runs": 300}, ["train.runs"], True),
        ({"runs": 30}, {"runs": 301}, ["train.runs"], False),
        ({}, {"runs": 850}, ["train.runs"], True),
        ({}, {"runs": 10**9}, ["train.runs"], False),
        ({"runs": 30}, {"runs": 31}, ["train.runs<=30"], False),
        ({"runs": 3}, {"runs": 1000}, ["train.runs<=1000"], True),
        ({}, {"time_limit": "87600h"}, ["train.time_limit"], True),  # without a limit it has no effect
        ({"time_limit": "1m"}, {"time_limit": "10m"}, ["train.time_limit"], True),
        ({"time_limit": "1m"}, {"time_limit": "601s"}, ["train.time_limit"], False),
        ({}, {"time_limit": "2h"}, ["train.time_limit<=1h"], False),
    ],
)
def test_what_costs_time_is_bounded(before, after, publishable, passes):
    found = read_publishable(publishable)
    if passes:
        check_bounds(before, after, [found[0].key], found)
        return
    with pytest.raises(ValueError, match=rf"^{found[0].key} must be at most "):
        check_bounds(before, after, [found[0].key], found)
