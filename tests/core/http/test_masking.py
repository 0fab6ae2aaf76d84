"""No credential remains after masking."""

import base64
import enum
import html
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from epkit.core.http.masking import (
    OWN,
    KeyGuard,
    clean,
    is_distinct,
    is_sensitive,
    mask_header,
    mask_text,
    mask_url,
    mask_values,
    url_secrets,
)
from epkit.core.http.secret import Secret
from epkit.core.shortening import cut, cut_bytes

KEY = 'c4n/ary+K3y=&"7\\'

secrets = st.text(min_size=4, max_size=40)
around = st.text(max_size=30)


def twice_json(text):
    return json.dumps(json.dumps(text))


FORMS = {
    "plain": str,
    "percent": lambda s: quote(s, safe=""),
    "percent, slash kept": quote,
    "percent, lower case": lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "percent, plus for space": quote_plus,
    "percent, twice": lambda s: quote(quote(s, safe=""), safe=""),
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON, Unicode kept": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda s: twice_json(s)[3:-3],
    "JSON, slash escaped": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "repr": lambda s: repr(s)[1:-1],
    "HTML": html.escape,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@settings(max_examples=50)
@given(secret=secrets.filter(lambda s: s.isprintable() or s.isascii()), before=around, after=around)
def test_no_form_of_a_secret_survives(form, secret, before, after):
    written = form(secret)

    masked = mask_text(f"{before}\x00{written}\x00{after}", [Secret(secret)])

    assert secret not in masked
    assert f"\x00{written}\x00" not in masked


@given(secret=secrets, text=st.text())
@example(secret="****", text="********")
@example(secret="a***", text="aa***")
@example(secret="abab", text="ababababab")
def test_no_secret_is_in_a_masked_text(secret, text):
    masked = mask_text(f"{text}{secret}{text}{secret}", [Secret(secret)])

    assert secret not in masked


@given(st.lists(st.text(alphabet="ab*:", min_size=4, max_size=8), min_size=2, max_size=3), st.data())
def test_of_secrets_that_overlap_none_survives(several, data):
    text = "".join(data.draw(st.lists(st.sampled_from([*several, "a", "b", "*"]), max_size=12)))

    masked = mask_text(text, map(Secret, several))

    assert not any(secret in masked for secret in several)


@given(
    secret=st.binary(min_size=4, max_size=30).map(lambda b: b.decode("latin-1")),
    before=st.binary(max_size=9),
    after=st.binary(max_size=9),
    encode=st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
    wrap=st.sampled_from([str, lambda s: quote(s, safe=""), lambda s: s.rstrip("=")]),
)
def test_no_secret_survives_in_base64(secret, before, after, encode, wrap):
    whole = before + secret.encode() + after
    written = wrap(encode(whole).decode())

    masked = mask_text(f"Authorization: Basic {written}", [Secret(secret)])

    kept = unquote(masked.removeprefix("Authorization: Basic ").replace("***", ""))
    assert len(kept) <= 4 / 3 * len(before + after) + 9
    assert written not in masked


def test_basic_credentials_are_masked_whole_and_in_parts():
    basic = base64.b64encode(b"alice:op3n-sesame").decode()
    text = f"{basic} alice:op3n-sesame op3n-sesame {quote(basic)}"

    assert mask_text(text, [Secret(f"Basic {basic}")]) == "*** *** *** ***"
    assert mask_text(text, [Secret("alice:op3n-sesame")]) == "*** *** *** ***"


def test_the_key_of_a_bearer_header_is_masked_alone_too():
    assert mask_text("key abcdef123", [Secret("Bearer abcdef123")]) == "key ***"


def test_secrets_that_touch_leave_one_mask():
    assert mask_text("<abcdefgh>", [Secret("abcde"), Secret("defgh")]) == "<***>"


def test_a_text_without_secrets_is_left_alone():
    assert mask_text("GET /score HTTP/1.1", [Secret("abcdef"), Secret("")]) == "GET /score HTTP/1.1"
    assert mask_text("GET /score HTTP/1.1", []) == "GET /score HTTP/1.1"


def test_secrets_too_short_to_hide_are_not_looked_for():
    assert mask_text("abc", [Secret("abc")]) == "abc"


KEYS = st.text(alphabet='ABCXYZ0123456789+/=-_\\"% ', min_size=8, max_size=40).filter(lambda text: text == text.strip())


@pytest.mark.parametrize("shorten", [clean, cut], ids=["clean", "cut"])
@settings(max_examples=200)
@example(secret="00\\%000000", form=partial(quote, safe=""), before="", after="", limit=13)
@given(
    secret=KEYS,
    form=st.sampled_from(list(FORMS.values())),
    before=st.text(alphabet="abc <>&", max_size=30),
    after=st.text(alphabet="abc <>&", max_size=30),
    limit=st.integers(1, 120),
)
def test_of_a_secret_across_a_cut_three_characters_are_left_at_most(shorten, secret, form, before, after, limit):
    shown = mask_text(shorten(f"{before}{form(secret)}{after}", limit), [Secret(secret)])

    assert not [
        piece
        for piece in re.findall("[A-Z0-9]{4,}", secret)
        for at in range(len(piece) - 3)
        if piece[at : at + 4] in shown
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the key is canary-7f3…", "the key is ***…"),
        ("cana…", "***…"),
        ("can…", "can…"),
        ("the canary … sings", "the canary … sings"),
        ("a%2Fb%2Fc%2…", "***…"),
        ("canary-7f3a91-must-never… canary-7f…", "***… ***…"),
        ("Basic Y2FuYXJ5LTdmM2E…", "Basic ***…"),
    ],
)
def test_the_beginning_of_a_secret_before_an_ellipsis_is_masked(text, expected):
    assert expected == mask_text(text, [Secret("canary-7f3a91-must-never"), Secret("a/b/c/d/e")])


def test_of_bytes_that_are_cut_inside_a_character_the_key_before_it_is_masked():
    shown = cut_bytes("x canärysecret".encode(), 6)

    assert "x canä…" == cut_bytes("x canärysecret".encode(), 7)
    assert "x can…" == shown
    assert "x ***…" == mask_text(cut_bytes("x canärysecret".encode(), 7), [Secret("canärysecret")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    text: str
    figures: tuple[float, ...] = (1234.0,)
    below: Mapping[str, object] = field(default_factory=dict)
    digest: str = field(default="1234", metadata=OWN)


class Named(NamedTuple):
    name: str
    number: int


def test_values_are_masked_wherever_their_texts_are():
    value = Shown(text="a 1234", below={"p1234": [Named("1234", 1234), ("1234",)], "key-1234-abcd": 1})

    masked = mask_values(value, [Secret("1234"), Secret("key-1234-abcd")])

    assert Shown(text="a ***", below={"p1234": [Named("***", 1234), ("***",)], "***": 1}) == masked


def test_a_value_without_secrets_is_the_same_object():
    value = Shown(text="a", below={"b": ["c"]})

    assert mask_values(value, [Secret("1234")]) is value


def test_a_keyword_is_no_text():
    assert Severity.ERROR is mask_values(Severity.ERROR, [Secret("error")])


class Severity(enum.StrEnum):
    ERROR = "error"


@pytest.mark.parametrize(
    ("secret", "expected"),
    [("1234", False), ("12345678", False), ("requests", False), ("a1b2c3d", False), ("a1b2c3d4", True)],
)
def test_only_a_distinct_secret_is_looked_for_in_a_whole_document(secret, expected):
    assert expected == is_distinct(secret)
    assert expected == ("***" in mask_text(f"x {secret} y", [Secret(secret)], distinct=True))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/rows.csv?sv=1&sig=a%2Bb%3D&se=2", {"a%2Bb%3D", "a+b=", "sv=1&sig=a%2Bb%3D&se=2"}),
        ("https://h/api?code=abcd", {"abcd", "code=abcd"}),
        ("http://u:p%40ss@h/", {"u:p%40ss", "u:p@ss"}),
        ("http://h/?to=http%3A%2F%2Fu:pw@x%2F", {"u:pw"}),
        ("http://h/?n=1", set()),
        ("http://h:80/me@home", set()),
    ],
)
def test_the_credentials_of_a_url_are_found(url, expected):
    assert expected == {secret.reveal() for secret in url_secrets(url)}


@given(st.text())
def test_what_is_masked_in_a_url_is_one_of_its_credentials(text):
    url = f"https://user:c4nary@host/?{text}&sig=s3cret"

    assert {"user:c4nary", "s3cret"} <= {secret.reveal() for secret in url_secrets(url)} or "#" in text


KEY_OF_A_SERVER = "abcdefgh-1234-ABCD"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["yes", KEY_OF_A_SERVER], ["yes", "***"]),
        ([{"a": [KEY_OF_A_SERVER, 1234]}], [{"a": ["***", 1234]}]),
        ([1234, 12.5, True], [1234, 12.5, True]),
    ],
)
def test_a_key_in_predictions_is_masked(found, expected):
    guard = KeyGuard([Secret(f"Bearer {KEY_OF_A_SERVER}"), Secret("1234")])

    assert expected == guard(json.dumps(found).encode(), found)


def test_predictions_of_a_reply_without_a_key_are_not_looked_at():
    found = ["yes"]

    assert KeyGuard([Secret(KEY_OF_A_SERVER)])(b'["yes"]', found) is found


def test_a_short_secret_may_be_predicted():
    assert ["setosa"] == KeyGuard([Secret("setosa")])(b'["setosa"]', ["setosa"])


def test_a_new_secret_is_looked_for_from_then_on():
    known = [Secret("nothing-of-this-1")]
    guard = KeyGuard(known)

    assert [KEY_OF_A_SERVER] == guard(KEY_OF_A_SERVER.encode(), [KEY_OF_A_SERVER])
    known[:] = [Secret(KEY_OF_A_SERVER)]
    assert ["***"] == guard(KEY_OF_A_SERVER.encode(), [KEY_OF_A_SERVER])


def test_many_backslashes_take_no_time():
    assert mask_text("\\" * 4000 + "x", [Secret("\\" * 20 + "y")]) == "\\" * 4000 + "x"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host/score", "http://host/score"),
        ("http://host:80/a?n=1&keyword=x&encode=2#top", "http://host:80/a?n=1&keyword=x&encode=2#top"),
        ("http://u:p@host/score", "http://***@host/score"),
        ("http://u@host", "http://***@host"),
        ("http://u:p@ss@host/", "http://***@host/"),
        ("http://u:p/s#s@host/a", "http://***@host/a"),
        ("http:/u:pw@host/a", "http:/***@host/a"),
        ("//u:pw@host/a", "//***@host/a"),
        ("u:pw@host/a", "u:***@host/a"),
        ("http://[::1]:80/me@home", "http://[::1]:80/me@home"),
        ("http://host:80/me@home", "http://host:80/me@home"),
        ("/users/me@home?token=1", "/users/me@home?token=***"),
        ("https://h/?sig=a%2Fb&se=1", "https://h/?sig=***&se=1"),
        ("https://h/?SIG=a", "https://h/?SIG=***"),
        ("https://h/?s%69g=a&%6Bey=b&c%256fde=c", "https://h/?s%69g=***&%6Bey=***&c%256fde=***"),
        ("https://h/?code=x&status_code=1", "https://h/?code=***&status_code=1"),
        (
            "https://h/?api-key=1&api_key=2&apikey=3&apiKey=4",
            "https://h/?api-key=***&api_key=***&apikey=***&apiKey=***",
        ),
        ("https://h/?subscription-key=1&x=2", "https://h/?subscription-key=***&x=2"),
        (
            "https://h/?access_token=1&accessToken=2&sas=3",
            "https://h/?access_token=***&accessToken=***&sas=***",
        ),
        (
            "https://h/?X-Amz-Signature=1&X-Amz-Credential=2",
            "https://h/?X-Amz-Signature=***&X-Amz-Credential=***",
        ),
        ("https://h/?client_secret=1&password=2", "https://h/?client_secret=***&password=***"),
        ("https://h/?sig=a;b=c&d=e", "https://h/?sig=***&d=e"),
        ("https://h/?a=1;sig=b;c&d=e;f", "https://h/?a=1;sig=***&d=e;f"),
        ("https://h/#access_token=abc&x=1", "https://h/#access_token=***&x=1"),
        ("https://h/?sig=&token", "https://h/?sig=&token"),
        ("https://h/?to=https%3A%2F%2Fu%3Ap%40x%2F&n=1", "https://h/?to=https%3A%2F%2F***%40x%2F&n=1"),
        ("https://h/?to=https%3A%2F%2Fx%2F", "https://h/?to=https%3A%2F%2Fx%2F"),
        ("https://h/a?b=c?key=d", "https://h/a?b=c?key=***"),
        ("", ""),
    ],
)
def test_credentials_in_a_url_are_masked_and_the_rest_is_left_as_it_is(url, expected):
    assert expected == mask_url(url)


safe = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABC01234-._~%", min_size=4, max_size=20)


@given(
    st.text(alphabet="QXZ5678", min_size=4),
    st.sampled_from(["sig", "key", "token", "code", "api-key", "Subscription-Key", "access_token", "sas", "k%65y"]),
    st.lists(st.tuples(safe, safe), max_size=3),
    st.booleans(),
)
def test_a_secret_value_never_survives_whatever_stands_around_it(value, name, others, upper):
    pairs = [f"{n}={v}" for n, v in others]
    named = name.upper() if upper else name

    masked = mask_url(f"https://u:{value}@host/score?{'&'.join([*pairs, f'{named}={value}', *pairs])}")

    assert value not in masked


@given(st.text())
def test_masking_a_url_twice_changes_nothing_more(url):
    assert mask_url(mask_url(url)) == mask_url(url)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Authorization", "Bearer abc.def", "Bearer ***"),
        ("authorization", "basic YTpi", "basic ***"),
        ("Authorization", "abc", "***"),
        ("Authorization", "Digest username=x", "***"),
        ("Authorization", "Bearer", "***"),
        ("Proxy-Authorization", "Basic YTpi", "Basic ***"),
        ("Cookie", "a=b", "***"),
        ("Set-Cookie", "a=b; Secure", "***"),
        ("api-key", "Bearer abc", "***"),
        ("Ocp-Apim-Subscription-Key", "abc", "***"),
        ("x-functions-key", "abc", "***"),
        ("X-API-Key", "abc", "***"),
        ("X-Auth-Token", "abc", "***"),
        ("Aeg-Sas-Key", "abc", "***"),
        ("Content-Type", "application/json", "application/json"),
        ("x-ms-error-code", "Busy", "Busy"),
        ("x-ratelimit-remaining-tokens", "12", "12"),
        ("WWW-Authenticate", 'Bearer realm="x"', 'Bearer realm="x"'),
        ("Location", "/a?sig=b", "/a?sig=***"),
        ("Location", "https://u:p@h/a?sig=b", "https://***@h/a?sig=***"),
        ("Link", '<https://h/a?token=b>; rel="next"', '<https://h/a?token=***>; rel="next"'),
        ("X-Where", "see https://h/?code=1, or not", "see https://h/?code=*** or not"),
    ],
)
def test_a_header_shows_no_credential(name, value, expected):
    assert expected == mask_header(name, value)


@given(st.sampled_from(["Authorization", "Cookie", "api-key", "X-Api-Token"]), secrets)
def test_no_value_of_a_credential_header_survives(name, secret):
    value = mask_header(name, f"Bearer {secret}")

    assert value in ("***", "Bearer ***")


@pytest.mark.parametrize(
    "name",
    ["Authorization", "proxy-authorization", "Cookie", "set-cookie", "api-key", "X-API-Key", "apikey", "keys",
     "key1",
     "Ocp-Apim-Subscription-Key", "x-functions-key", "accessToken", "access_token", "X-Amz-Signature", "sig",
     "password", "passwd", "client_secret", "key-id"],
)  # fmt: skip
def test_a_name_that_ends_in_a_credential_is_sensitive(name):
    assert is_sensitive(name)


@pytest.mark.parametrize(
    "name",
    [
        "x-team",
        "Content-Type",
        "x-country-code",
        "keyword",
        "signal",
        "azureml-model-deployment",
        "tokenizer",
    ],
)
def test_other_names_are_not_sensitive(name):
    assert not is_sensitive(name)


@given(st.text(), st.integers(1, 50))
def test_what_is_clean_is_one_short_line_of_visible_characters(text, limit):
    line = clean(text, limit)

    assert len(line) <= limit
    assert line == line.strip()
    assert not {unicodedata.category(c) for c in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=200))
def test_visible_text_stays_as_it_is(text):
    assert text == clean(text)


def test_terminal_escapes_go_with_their_parameters():
    assert clean("\x1b[31mred\x1b[0m \x1b]0;owned\x07title\n\x1b]8;;http://x\x1b\\ end\x9b2J\u202e") == "red title end"


def test_a_long_text_ends_in_an_ellipsis():
    assert clean("a" * 10_000_000, 4) == "aaa…"


@given(st.text(), st.integers(2, 50))
def test_foreign_text_becomes_one_printable_line_of_at_most_the_limit(text, limit):
    line = clean(text, limit)

    assert len(line) <= limit
    assert line.replace(" ", "").isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\n\tb", "a b"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("a\u202eb\x00c", "abc"),
        ("  ", ""),
    ],
)
def test_what_a_terminal_would_act_on_is_taken_out(text, expected):
    assert expected == clean(text)
