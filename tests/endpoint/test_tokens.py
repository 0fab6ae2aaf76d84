"""Tokens are replaced before they end, and one that cannot be is asked for again."""

import sys
import threading
import time

import pytest

from epkit.core.hosting.deployments import Token
from epkit.core.http.secret import Secret
from epkit.endpoint.tokens import MARGIN_S, Keeper, credential, made
from epkit.errors import BackendError, UsageError

PATIENCE_S = 10


class Source:
    """Gives out a token a call, or raises what it is told to."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[float] = []

    def __call__(self) -> Token:
        self.asked.append(time.time())
        outcome = self.outcomes.pop(0) if self.outcomes else token("last", 3600)
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, Token)
        return outcome


def token(text: str, seconds: float) -> Token:
    return made(text, time.time() + seconds)


def kept(source: Source, first: Token, wanted: int) -> tuple[list[str], list[str]]:
    """Run a keeper until it has handed on as many tokens; return them, and what it noted."""
    got: list[str] = []
    notes: list[str] = []
    enough = threading.Event()

    def replaced(text: Secret) -> None:
        got.append(text.reveal())
        if len(got) == wanted:
            enough.set()

    with Keeper(source, first, replaced, notes.append):
        assert enough.wait(PATIENCE_S)
    return got, notes


def test_a_token_is_replaced_five_minutes_before_its_end_or_after_half_its_time():
    now = time.time()

    assert now + 3600 - MARGIN_S == pytest.approx(made("x", now + 3600).refresh_at_s, abs=1)
    assert now + 5 == pytest.approx(made("x", now + 10).refresh_at_s, abs=1)


def test_each_token_is_replaced_before_it_ends():
    source = Source(token("two", 0.6), token("three", 60))
    first = token("one", 0.4)
    got, notes = kept(source, first, 2)

    assert ["two", "three"] == got
    assert [] == notes
    assert source.asked[0] < first.expires_at_s


def test_a_source_that_fails_is_asked_again_and_told_of_once():
    source = Source(BackendError("no"), BackendError("not yet"), token("two", 60))
    got, notes = kept(source, token("one", 0.6), 1)

    assert ["two"] == got
    assert ["the token cannot be replaced yet: no"] == notes


def test_a_source_that_gives_the_same_token_is_asked_again():
    first = token("one", 0.6)
    got, _ = kept(Source(first, token("two", 60)), first, 1)

    assert ["two"] == got


def test_a_token_that_lasts_is_left_alone():
    source = Source()
    with Keeper(source, token("one", 3600), lambda _: None, print):
        pass

    assert [] == source.asked


def test_a_missing_sdk_names_its_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(UsageError, match=r'needs the extra azure: pip install "epkit\[azure\]"'):
        credential()
