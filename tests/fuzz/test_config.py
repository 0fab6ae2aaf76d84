"""`epkit.toml` with any contents: it is read, or refused with the place, in a time proportional to its length."""

import time
from pathlib import Path

from hypothesis import strategies as st

from epkit.endpoint.config import parse_config
from epkit.errors import UsageError
from support.fuzzing import damaged, fuzz

PATH = Path("/project/epkit.toml")
WHOLE = b"""\
default = "bank"

[endpoints.bank]
uri = "https://bank.example/score?x=1"
swagger = "swagger/bank.json"
auth = "key"
key_env = "BANK_KEY"
deployment = "blue"
timeout_s = 30.5

[endpoints."other one"]
uri = "http://127.0.0.1:5001/score"
auth = "none"
headers = { x-a = "1", "x b" = 'c' }

[endpoints.azure]
backend = "azureml"
service = "svc"
workspace = "ws.json"
"""
WORDS = (
    "[endpoints.", "[[endpoints]]", "]", "[", "{", "}", '"', '"""', "'''", "=", ".", "\n", "\r", " ", "\t", "#", ",",
    "uri", "key", "auth", "bank", "https://", "user:pw@", "?sig=x", "true", "nan", "-inf", "1979-05-27", "0x1F", "9" * 40,
    "\\u0000", "\\ud800", "\\", "\x00", "\u202e", "é", "🦜", "a" * 300,
)  # fmt: skip
LONGEST_S = 2.0
"""Far more than 100 kB take on a busy machine, and far less than a pattern with backtracking would take."""


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Draw a damaged file, or words in any order, or one of these repeated up to some 100 kB."""
    match draw(st.integers(0, 3)):
        case 0:
            return draw(damaged(WHOLE))
        case 1:
            return "".join(draw(st.lists(st.sampled_from(WORDS), max_size=30))).encode()
        case 2:
            at = draw(st.integers(0, len(WHOLE)))
            return WHOLE[:at] + "".join(draw(st.lists(st.sampled_from(WORDS), max_size=5))).encode() + WHOLE[at:]
    part = "".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))).encode()
    return draw(st.sampled_from((b"", WHOLE))) + part * (draw(st.sampled_from((100, 100_000))) // len(part))


def refusal(data: bytes) -> str:
    """Return why a file is refused, "" if it is read."""
    try:
        parse_config(data, PATH)
    except UsageError as error:
        return str(error)
    return ""


def test_a_configuration_is_read_or_refused_in_one_line_soon():
    def check(data: bytes) -> None:
        began = time.process_time()
        said = refusal(data)

        assert time.process_time() - began < LONGEST_S
        assert said.startswith(str(PATH)) or not said
        assert "\n" not in said

    fuzz("config", texts(), check)
