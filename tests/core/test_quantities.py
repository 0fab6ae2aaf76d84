"""Times, rates and counts are read as people write them; the refusal of another text shows the right form."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core import quantities
from epkit.core.quantities import COUNT, RATE, TIME, has_unit, read_count, read_ns, read_rate, read_seconds
from epkit.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        (".5s", 0.5),
        ("30s", 30.0),
        ("500ms", 0.5),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("1m30s", 90.0),
        ("1m 30s", 90.0),
        ("1.5min", 90.0),
        ("2h", 7200.0),
        ("1h1m1s1ms", 3661.001),
        (" 10 s ", 10.0),
        ("-5", -5.0),
        (2.5, 2.5),
    ],
)
def test_times(text, seconds):
    assert math.isclose(seconds, read_seconds(text), rel_tol=1e-12)


@pytest.mark.parametrize("text", ["", "s", "ten", "10x", "10 s 5", "1m30", "-5s", "5s-", "1..5s"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match=TIME[:20]):
        read_seconds(text)


@pytest.mark.parametrize("value", ["-1", "inf", "nan"])
def test_nanoseconds_are_of_a_time_that_passes(value):
    with pytest.raises(ValueError, match=TIME[:20]):
        read_ns(value)


def test_nanoseconds():
    assert [90_000_000_000, 1_500_000] == [read_ns("1m30s"), read_ns("1.5ms")]


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("50", 50.0),
        ("50/s", 50.0),
        ("100/m", 100 / 60),
        ("3600/h", 1.0),
        ("1k", 1000.0),
        ("1.1k/s", 1100.0),
        ("6/min", 0.1),
    ],
)
def test_rates(text, rate):
    assert math.isclose(rate, read_rate(text), rel_tol=1e-12)


@pytest.mark.parametrize("text", ["", "/s", "50/d", "50/", "fast", "1kk", "k"])
def test_what_is_no_rate(text):
    with pytest.raises(ValueError, match=RATE[:10]):
        read_rate(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("100", 100), ("10k", 10_000), ("1.5k", 1500), ("2M", 2_000_000), ("1e6", 10**6), ("1_000", 1000), ("-3", -3), (7, 7),
     ("123456789012345678901", 123456789012345678901)],
)  # fmt: skip
def test_counts(text, count):
    assert count == read_count(text)


@pytest.mark.parametrize("text", ["", "1.5", "1.0001k", "ten", "inf", "nan", "1e3k", 1.5])
def test_what_is_no_count(text):
    with pytest.raises(ValueError, match=COUNT[:10]):
        read_count(text)


def test_only_a_time_with_its_unit_has_one():
    assert [True, True, False, False] == [has_unit(text) for text in ("10s", "1m30s", "10", "x")]


def test_what_python_gives_is_read_and_named_where_it_cannot_be():
    assert (None, 30.0, 0.5) == (
        quantities.given("seconds", None, read_seconds),
        quantities.given("seconds", 30, read_seconds),
        quantities.given("seconds", "500ms", read_seconds),
    )
    with pytest.raises(UsageError, match=r"^rate fast: a rate is written 50, 50/s"):
        quantities.given("rate", "fast", read_rate)


@pytest.mark.parametrize(
    ("read", "form"), [(read_seconds, TIME), (read_ns, TIME), (read_rate, RATE), (read_count, COUNT)]
)
@given(text=st.text())
def test_any_text_is_read_or_refused_with_the_right_form(read, form, text):
    said = None
    try:
        read(text)
    except ValueError as error:
        said = str(error)

    assert said in (None, form)
