from epkit.core.http.request import build
from epkit.core.http.secret import Secret
from epkit.core.samples.rows import Failure
from epkit.engines.base import Exchange
from epkit.flows.target.verbose import make_log, show_reply, show_request

REQUEST = build("POST", "/score?sig=s3cret-value", "host", [("Authorization", "Bearer s3cret-key")], b'{"data": []}')


def exchange(status=200, failure=Failure.NONE, detail=""):
    made = Exchange()
    made.status, made.failure, made.detail = status, failure, detail
    made.head = f"HTTP/1.1 {status} So\r\nX-A: 1\r\n\r\n".encode()
    made.body = b"reply"
    return made


def test_a_request_is_shown_without_its_credentials():
    assert (
        "POST /score?sig=*** HTTP/1.1\nHost: host\nAuthorization: Bearer ***\nContent-Length: 12\n"
        == show_request(REQUEST, [])
    )  # fmt: skip


def test_the_body_of_a_request_is_shown_where_it_is_asked_for():
    assert show_request(REQUEST, [], body=True).endswith('\n\n{"data": []}')


def test_a_long_body_is_cut():
    long = build("POST", "/", "host", [], b"x" * 5000)

    assert show_request(long, [], body=True).endswith("\n(and 904 bytes more)")


def test_a_reply_is_shown_without_secrets_and_escapes():
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nX-Echo: s3cret-key\r\n\r\n"

    assert "HTTP/1.1 200 OK\nSet-Cookie: ***\nX-Echo: ***\n\nred *** text" == show_reply(
        head, "\x1b[31mred\x1b[0m s3cret-key text", [Secret("s3cret-key")]
    )


def test_nothing_is_logged_unless_asked_for():
    assert None is make_log(0, REQUEST, [], print)


def test_each_level_says_more():
    said = {}
    for level in (1, 2, 3, 4):
        said[level] = []
        log = make_log(level, REQUEST, [], said[level].append)
        for each in (exchange(), exchange(503), exchange(0, Failure.CONNECT, "refused")):
            log(each)

    failed = ["WARNING: Response code not 2xx (503)", "LOG: connect: refused"]
    assert failed == said[1]
    assert failed == [line for line in said[2] if not line.startswith(("INFO: POST header", "LOG: header received"))]
    assert ["LOG: Response code = 200", *failed] == [
        line for line in said[3] if not line.startswith(("INFO: POST header", "LOG: header received"))
    ]
    assert said[3] == said[4]
