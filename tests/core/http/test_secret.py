"""Only `reveal` shows a secret."""

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass

import pytest

from epkit.core.http.secret import Secret
from support.canary import CANARY

SECRET = Secret(CANARY)


@dataclass(frozen=True)
class Holder:
    key: Secret
    keys: tuple[Secret, ...]


def test_it_is_revealed_on_demand() -> None:
    assert CANARY == SECRET.reveal()


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{!r}".format,
        lambda secret: f"{secret}",
        lambda secret: f"{[secret]}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - logging formats like this
        lambda secret: repr(Holder(secret, (secret,))),
        lambda secret: str(asdict(Holder(secret, (secret,)))),
        lambda secret: json.dumps({"key": secret}, default=str),
        lambda secret: logging.LogRecord("n", 10, "p", 1, "key %s", (secret,), None).getMessage(),
        lambda secret: repr(copy.deepcopy([secret])),
    ],
)
def test_nothing_that_prints_it_gives_it_away(show) -> None:  # type: ignore[no-untyped-def]
    shown = show(SECRET)

    assert "***" in shown
    assert CANARY not in shown


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Holder(SECRET, ()), protocol)


def test_it_is_not_copied_but_handed_on() -> None:
    assert copy.deepcopy(SECRET) is SECRET
    with pytest.raises(TypeError):
        copy.copy(SECRET)


def test_it_has_no_hash_and_no_attributes() -> None:
    with pytest.raises(TypeError):
        hash(SECRET)
    with pytest.raises(TypeError):
        vars(SECRET)


def test_a_traceback_with_locals_does_not_show_it() -> None:
    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError) as caught:
        fail(SECRET)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())

    assert "secret = Secret(***)" in shown
    assert CANARY not in shown


def test_equal_texts_are_equal_secrets_and_nothing_else_is() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert "a" != Secret("a")


def test_an_empty_one_is_false() -> None:
    assert [False, True] == [bool(Secret("")), bool(Secret("0"))]
