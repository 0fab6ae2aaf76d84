"""For any text from a server, a contract or a file, the time of processing is proportional to its length."""

import contextlib
import time

import pytest

from epkit.core.hosting import azure_errors
from epkit.core.http import url as urls
from epkit.core.http.masking import clean, is_sensitive, mask_header, mask_text, mask_url, url_secrets
from epkit.core.http.secret import Secret
from epkit.core.json import reading
from epkit.core.replies import decoding
from epkit.core.report import slo
from epkit.core.samples.rows import Failure
from epkit.endpoint import advice
from epkit.errors import EpkitError

SIZE = 20_000
MOST_S = 2
"""Limit in seconds of CPU: the quadratic patterns needed at least ten, the linear ones need some hundredths."""

KEYS = (
    *("-abcdefgh12345678", 'c4n/ary+K3y=&"7\\', "%%%%%%25", "----", '"\\\n"\\', "aaaaaaaa", "////++++", "a***"),
    *("\\-\\-\\-", "<\"'&>", "Bearer -x-y-1"),
)

TOKENS = (
    *("\\", "%", "%25", "25", "&", "&amp;", "amp;", "#", "0", "a", "-", '"', "=", "://", "…", "a…", "-…", "\\…", "/"),
    *("+", "A", "é", "\\u", "\\u002f", "%2", "%2d", "&#", "&#0", "*", "***", " ", "\x1b[", "\x1b]", "\x9b0", "?a="),
    *(
        "&a=;",
        ";sig=",
        ";a=b",
        "@",
        "http://",
        ":",
        "aaaaaaa…",
        "----…",
        "<",
        "<title",
        "connect",
        "timed out",
        "\\\\-",
    ),
    *("-\\", "\n", "\r\n", "{", "[", "{}", '{"', '\\"', "1", "1" * 4299 + ",", ".", "\nError:\n{", "Content: '{", "[a"),
    *("AADSTS1", "(a", "\t", "p", "a.", "%252525", "b;c=", "[@", "@["),
)


FUNCTIONS = {
    "mask_url": mask_url,
    "mask_url of a query": lambda text: mask_url(f"http://h/?{text}"),
    "mask_url of a value": lambda text: mask_url(f"http://h/?a={text}"),
    "url_secrets": lambda text: list(url_secrets(f"http://h/?a={text}")),
    "mask_header": lambda text: mask_header("x", text),
    "mask_header of a location": lambda text: mask_header("location", text),
    "clean": lambda text: clean(text, SIZE),
    "is_sensitive": is_sensitive,
    "parse a URL": lambda text: urls.parse(f"http://{text}"),
    "shown": urls.shown,
    "detail": advice.detail,
    "detail of JSON": lambda text: advice.detail(f"{{{text}"),
    "detail of a page": lambda text: advice.detail(f"<{text}"),
    "explain": lambda text: advice.explain(302, {"location": text, "retry-after": text}, text, key_sent=False),
    "advise_failure": lambda text: [advice.advise_failure(kind, text) for kind in list(Failure)[1:]],
    "decode": lambda text: decoding.decode(text.encode()),
    "read JSON": lambda text: reading.parse(text.encode(), name="x"),
    "look at JSON closely": lambda text: reading.read_carefully(text.encode()),
    "Azure's errors": lambda text: azure_errors.reduce(RuntimeError(text)),
    "an objective": lambda text: slo.parse(f"p99<1{text}!"),
}


def tokens_of(key: str) -> list[str]:
    return [*TOKENS, key, key[:5], key[:-1], f"{key[:-1]}…", f"{key[:6]}…"]


@pytest.mark.parametrize("key", KEYS)
def test_masking(key):
    for token in tokens_of(key):
        # "a***": the text that masks other secrets follows an "a".
        assert key == "a***" or key not in (_in_time(lambda text: mask_text(text, [Secret(key)]), token) or "")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_other_functions(name):
    for token in TOKENS:
        _in_time(FUNCTIONS[name], token)


def test_thirty_kilobytes_of_backslashes():
    text = "\\" * 30_000

    assert text == mask_text(text, [Secret("-c4n4ry-s3cr3t")])


def _in_time(function, token):
    text, found = token * (SIZE // len(token)), None
    began = time.process_time()
    with contextlib.suppress(
        EpkitError, ValueError, RecursionError
    ):  # it is neither a URL nor JSON; the refusal must also come in time
        found = function(text)
    took = time.process_time() - began

    assert took < MOST_S, f"{took:.1f} s for {token!r}"
    return found
