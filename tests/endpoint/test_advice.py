"""Every answer of a cloud is explained in one line with advice and without secrets."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.http.secret import Secret
from epkit.core.replies.framing import TOO_MANY_BYTES
from epkit.core.samples.rows import FAILURES, Failure
from epkit.endpoint.advice import DETAIL_LIMIT, advise, advise_failure, detail

CANARY = "c4naryK3y"
GIVE = "give it with --key-file, EPKIT_KEY, or key_env in epkit.toml"
WRONG = f"the key is wrong, expired, or belongs to another endpoint: {GIVE}"
MISSING = f"the endpoint requires a key, and none was sent: {GIVE}"
MALFORMED = f"the key was not understood: Authorization has to be 'Bearer KEY'; {GIVE}"


@pytest.mark.parametrize(
    ("status", "body", "key_sent", "meaning"),
    [
        (400, "Authorization header is malformed", True, MALFORMED),
        (400, "Authorization header is malformed", False, MISSING),
        (401, "", True, WRONG),
        (401, "", False, MISSING),
        (403, '{"error": {"code": "key_auth_access_denied"}}', True, WRONG),
        (403, '{"error": {"code": "key_auth_bad_header_forbidden"}}', True, MALFORMED),
        (403, "", False, MISSING),
    ],
)
def test_what_is_about_the_key_says_so(status, body, key_sent, meaning):
    line = advise(status, {}, body, key_sent=key_sent)

    assert f"{status}: {meaning}" == line.partition(" (the server says")[0]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "epkit validate"),
        (404, "/score"),
        (404, "traffic"),
        (405, "POST"),
        (408, "fewer rows"),
        (409, "refuses the request"),
        (413, "1.5 MB"),
        (415, "-T application/json"),
        (424, "the model itself failed"),
        (429, "max_concurrent_requests_per_instance"),
        (431, "headers are too large"),
        (500, "scoring script raised an exception"),
        (502, "scoring script raised an exception"),
        (503, "every replica is full"),
        (504, "gateway gave up waiting"),
        (507, "the endpoint failed: its log says why"),
        (600, "a scoring endpoint does not answer like this"),
        (101, "a scoring endpoint does not answer like this"),
    ],
)
def test_each_status_says_what_to_do(status, words):
    line = advise(status, {}, "", key_sent=True)

    assert line.startswith(f"{status}: ")
    assert words in line


@pytest.mark.parametrize(
    "body",
    [
        "<center>The plain HTTP request was sent to HTTPS port</center>",
        "Client sent an HTTP request to an HTTPS server.",
    ],
)
def test_http_to_a_tls_port_is_recognised(body):
    assert advise(400, {}, body, key_sent=True).startswith("400: the port speaks TLS: use https:// in the URL (")


def test_the_models_own_status_and_reason_are_told():
    headers = {
        "ms-azureml-model-error-statuscode": "500",
        "ms-azureml-model-error-reason": f"model {CANARY}\x1b[2J",
    }

    line = advise(424, headers, "", key_sent=True, secrets=[Secret(f"Bearer {CANARY}")])

    assert line.endswith("; the model's own status: 500; its reason: model ***")


@pytest.mark.parametrize(
    ("status", "headers", "end"),
    [
        (429, {"Retry-After": "7"}, "; it asks to wait 7 s"),
        (
            503,
            {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"},
            "; it asks to wait Wed, 21 Oct 2026 07:28:00 GMT",
        ),
        (429, {}, "lower the concurrency or the rate"),
        (500, {"retry-after": "7"}, "then see the log"),
    ],
)
def test_retry_after_is_told(status, headers, end):
    assert advise(status, headers, "", key_sent=True).endswith(end)


@pytest.mark.parametrize(
    ("headers", "end"),
    [
        ({"LOCATION": "https://u:p@host/login?code=x"}, "use https://***@host/login?code=*** as the URI"),
        ({"location": f"/echo/{CANARY}"}, "use /echo/*** as the URI"),
        ({}, "use the address that it leads to as the URI"),
    ],
)
def test_a_redirect_is_shown_masked(headers, end):
    line = advise(302, headers, "", key_sent=True, secrets=[Secret(CANARY)])

    assert line.startswith("302: a redirect, which is not followed")
    assert line.endswith(end)


def test_a_reply_that_echoes_the_key_does_not_show_it():
    line = advise(401, {}, f"bad header: Bearer {CANARY}", key_sent=True, secrets=iter([Secret(f"Bearer {CANARY}")]))

    assert line.endswith(" (the server says: bad header: ***)")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", ""),
        ("  \n\n first line\nsecond", "first line"),
        ('{"message": "Expects application/json"}', "Expects application/json"),
        ('"{\\"error\\": \\"\'duration\'\\"}"', "'duration'"),
        ('"just words"', "just words"),
        ('"{broken"', '"{broken"'),
        ('\ufeff{"error": {"code": "c", "message": "m"}}', "m"),
        ('{"error_code": "BAD_REQUEST", "Message": "m"}', "m"),
        ('{"error": true, "reason": "r"}', "r"),
        ('{"error": {"inner": 1}, "code": "c"}', "c"),
        ('{"detail": [{"loc": ["body"], "msg": "field required"}]}', "field required"),
        ('{"result": [1, 2]}', '{"result": [1, 2]}'),
        ("[]", "[]"),
        ('{"error": {"error": {"error": {"error": {"error": {"error": "deep"}}}}}}',
         '{"error": {"error": {"error": {"error": {"error": {"error": "deep"}}}}}}'),
        ("{not json\nat all", "{not json"),
        ("[" * 100_000, "[" * 199 + "…"),
        ("<html><head><TITLE>502 Bad &amp; Gateway\n</TITLE></head><body>x</body>", "502 Bad & Gateway"),
        ("<p>\n<b>plain</b> words</p>", "plain words"),
        ("<title>&#27;[31mr&#x202e;ed</title>", "[31mred"),
        ('{"message": "\\u001b]0;owned\\u0007hi\\nthere"}', "hi"),
    ],
)  # fmt: skip
def test_the_servers_own_words_are_found(body, words):
    assert words == detail(body)


def test_words_in_a_long_document_are_cut_not_parsed():
    body = '{"message": "' + "x" * 2_000_000 + '"}'

    assert detail(body) == '{"message": "' + "x" * 186 + "…"


@given(st.text(max_size=400), st.sampled_from(['{"message": "%s"}', "<title>%s</title>", "%s", '"%s"']))
def test_whatever_a_server_says_becomes_one_harmless_line(text, frame):
    words = detail(frame.replace("%s", text))

    assert len(words) <= DETAIL_LIMIT
    assert not {unicodedata.category(c) for c in words} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("kind", "words", "advice"),
    [
        (Failure.CONNECT, "[Errno 111] Connect call failed ('127.0.0.1', 9)", "nothing listens there"),
        (Failure.CONNECT, "Connection refused", "nothing listens there"),
        (Failure.CONNECT, "[Errno -2] Name or service not known", "the host name cannot be resolved"),
        (Failure.CONNECT, "Temporary failure in name resolution", "the host name cannot be resolved"),
        (
            Failure.CONNECT,
            "nodename nor servname provided, or not known",
            "the host name cannot be resolved",
        ),
        (Failure.CONNECT, "Network is unreachable", "no route to the host"),
        (Failure.CONNECT, "No route to host", "no route to the host"),
        (Failure.CONNECT, "[Errno 24] Too many open files", "raise ulimit -n"),
        (Failure.CONNECT, "Cannot assign requested address", "no local port left"),
        (Failure.CONNECT, "[Errno 2] No such file or directory", "no such Unix socket"),
        (Failure.CONNECT, "[Errno 13] Permission denied", "may not open the socket"),
        (Failure.TIMEOUT, "connect timed out", "the host does not answer"),
        (Failure.TIMEOUT, "no reply", "allow more with -s"),
        (Failure.TLS, "certificate verify failed: certificate has expired (_ssl.c:1006)", "has expired"),
        (Failure.TLS, "certificate verify failed: certificate is not yet valid", "this machine's clock"),
        (
            Failure.TLS,
            "certificate verify failed: Hostname mismatch, certificate is not valid for 'x'",
            "another name",
        ),
        (Failure.TLS, "certificate verify failed: self-signed certificate", "--cacert"),
        (Failure.CONNECT, "proxy: connection refused", "the proxy cannot be reached: check -X"),
        (Failure.CONNECT, "proxy: 407 Proxy Authentication Required", "give -P USER:PASSWORD"),
        (Failure.CONNECT, "proxy: 503", "the proxy refuses the connection to the endpoint"),
        (Failure.TLS, "proxy: certificate: certificate has expired", "TLS with the proxy itself failed"),
        (Failure.TIMEOUT, "no connection through the proxy within 1 s", "the proxy does not answer"),
        (Failure.TLS, "certificate verify failed: unable to get local issuer certificate", "--insecure"),
        (
            Failure.TLS,
            "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required",
            "-E FILE",
        ),
        (Failure.TLS, "[SSL: WRONG_VERSION_NUMBER] wrong version number", "try http:// in the URL"),
        (Failure.TLS, "[SSL] record layer failure (_ssl.c:1010)", "try http:// in the URL"),
        (Failure.TLS, "", "the TLS handshake failed"),
        (Failure.TRANSPORT, "connection reset by peer", "the connection broke"),
        (Failure.TRANSPORT, "closed without close_notify inside the reply's body", "the connection broke"),
        (Failure.TRANSPORT, "header block over 1000 lines", "the reply is larger than epkit accepts"),
        (Failure.TRANSPORT, TOO_MANY_BYTES, "too many large replies are in flight at once"),
        (Failure.TRANSPORT, "not an HTTP reply: status 099", "the reply breaks HTTP's rules"),
        (Failure.TRANSPORT, "over 16 interim replies", "the reply breaks HTTP's rules"),
        (Failure.EMPTY, "", "the reply is empty"),
        (Failure.APPLICATION, "", "the reply is an error"),
        (Failure.CONTRACT, "", "the reply breaks the contract"),
        (Failure.MISMATCH, "", "one prediction for each row sent"),
        (Failure.STATUS, "", "not 2xx"),
    ],
)
def test_each_failure_says_what_to_do(kind, words, advice):
    assert advice in advise_failure(kind, words)


@pytest.mark.parametrize("kind", FAILURES)
def test_every_kind_of_failure_has_a_word_and_tells_no_secret(kind):
    line = advise_failure(kind, f"\x1b[31mweird {CANARY}", [Secret(CANARY)])

    assert line.endswith(" (weird ***)")
