"""A token service gets time to answer, but not without limit."""

import threading
import time

import pytest

from epkit.endpoint.tokens import in_time, made
from epkit.errors import BackendError, UsageError

TOKEN = made("eyJ.token", time.time() + 3600)


def test_a_token_that_comes_is_handed_on() -> None:
    assert TOKEN is in_time(lambda: TOKEN)()


def test_why_there_is_none_is_raised_as_it_is() -> None:
    def refuse() -> None:
        raise BackendError("no")

    with pytest.raises(BackendError, match=r"^no$"):
        in_time(refuse)()  # type: ignore[arg-type]


def test_a_service_that_hangs_is_given_up() -> None:
    over = threading.Event()
    began = time.monotonic()

    with pytest.raises(UsageError, match=r"^no token within 0\.1 s: is the network up\?$"):
        in_time(lambda: over.wait(8) and TOKEN, 0.1)()  # type: ignore[arg-type, return-value]
    over.set()

    assert time.monotonic() - began < 4
