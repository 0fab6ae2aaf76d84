"""A key is searched for in the order of the manual, goes to its own endpoint, and is never shown."""

from pathlib import Path

import pytest

from epkit.core.http.secret import Secret
from epkit.core.http.url import parse
from epkit.endpoint.config import TargetSpec
from epkit.endpoint.keys import Key, basic, find_key
from epkit.endpoint.target import EMBEDDED
from epkit.errors import UsageError

CANARY = "c4naryK3y"
URL = TargetSpec(uri=parse("https://host/score"))


def entry(**keys):
    return TargetSpec(
        uri=parse("https://host/score"),
        name="bank",
        place="/p/epkit.toml: endpoints.bank",
        **keys,
    )


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "bank.key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def found(target, *, key_file=None, headers=(), **environ):
    key = find_key(target, key_file=key_file, headers=headers, environ=environ)
    assert CANARY not in repr(key)
    return key.authorization and key.authorization.reveal()


def refused(target, *, key_file=None, headers=(), **environ):
    with pytest.raises(UsageError) as caught:
        find_key(target, key_file=key_file, headers=headers, environ=environ)
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


def test_the_flag_goes_before_all(tmp_path):
    path = key_file(tmp_path, b"flag\n")

    assert found(entry(key_env="A"), key_file=str(path), A="env", EPKIT_KEY="x") == "Bearer flag"
    assert found(entry(auth="none"), key_file=str(path)) == "Bearer flag"
    assert found(entry(auth="aad"), key_file=str(path)) == "Bearer flag"


def test_a_header_is_used_as_it_is_and_no_other_key_is_looked_for():
    headers = [("x", "y"), ("authorization", "Weird  Token")]

    assert found(entry(key_env="MISSING"), headers=headers, EPKIT_KEY="x") == "Weird  Token"
    assert found(entry(auth="aad"), headers=headers) == "Weird  Token"


def test_two_keys_at_once_are_refused(tmp_path):
    message = refused(URL, key_file="x", headers=[("Authorization", CANARY)])

    assert message == "--key-file and -H 'Authorization: …' both give a key: drop one"


def test_userinfo_of_the_url_is_basic_authorization():
    target = TargetSpec(uri=parse("https://Aladdin:open%20sesame@host/"))

    assert found(target, EPKIT_KEY="x") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_a_user_without_password_is_basic_with_an_empty_one():
    assert Secret("Basic dTo=") == basic(Secret("u"))


def test_the_entry_names_its_key(tmp_path):
    assert found(entry(key_env="BANK_KEY"), BANK_KEY="env", EPKIT_KEY="x") == "Bearer env"
    assert found(entry(key_file=key_file(tmp_path, b"file")), EPKIT_KEY="x") == "Bearer file"


def test_the_general_key_serves_those_that_name_none():
    assert found(URL, EPKIT_KEY="general") == "Bearer general"
    assert found(entry(), EPKIT_KEY="general") == "Bearer general"


def test_the_general_key_goes_nowhere_else():
    assert found(entry(auth="none"), EPKIT_KEY=CANARY) is None
    assert found(EMBEDDED, EPKIT_KEY=CANARY) is None
    assert CANARY not in refused(entry(key_env="BANK_KEY"), EPKIT_KEY=CANARY)


@pytest.mark.parametrize("environ", [{}, {"EPKIT_KEY": ""}])
def test_no_key_is_no_error(environ):
    assert Key() == find_key(URL, key_file=None, headers=(), environ=environ)


@pytest.mark.parametrize("auth", ["aad", "aml_token"])
def test_a_token_is_left_to_be_fetched_and_no_key_stands_in_for_it(auth):
    assert Key(source=auth) == find_key(entry(auth=auth), key_file=None, headers=(), environ={"EPKIT_KEY": "x"})


def test_a_missing_variable_is_named():
    place = "/p/epkit.toml: endpoints.bank.key_env: BANK_KEY"

    assert f"{place}: this environment variable is not set; it should hold the key" == refused(
        entry(key_env="BANK_KEY")
    )


@pytest.mark.parametrize("literal", ["c4naryK3yabcdefghijklmnop", "eyJhbGciOiJSUzI1NiJ9.c4naryK3y.x"])
def test_a_key_that_stands_where_its_place_should_be_named_is_not_shown(literal):
    assert "(not shown, it looks like a key)" in refused(URL, key_file=literal)
    assert "(not shown, it looks like a key)" in refused(entry(key_env=literal.replace(".", "_")))


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "no.key"

    assert f"--key-file {path}: no such file" == refused(URL, key_file=str(path))
    assert f"/p/epkit.toml: endpoints.bank.key_file: {path}: no such file" == refused(entry(key_file=path))


def test_a_directory_is_no_key(tmp_path):
    assert f"--key-file {tmp_path} is a directory, not a file with a key" == refused(URL, key_file=str(tmp_path))


def test_an_unreadable_file_says_why(tmp_path):
    path = tmp_path / "file" / "x"
    path.parent.write_text("")

    assert f"--key-file {path}: cannot be read: Not a directory" == refused(URL, key_file=str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "the key is empty"),
        ("Bearer \n", "the key is empty"),
        (f"{CANARY}\n{CANARY}", "the key has more than one line"),
        (f"{CANARY}\r{CANARY}", "the key has more than one line"),
        (f"Basic {CANARY}", "the key has white space in it"),
        (f"{CANARY}\N{NO-BREAK SPACE}x", "the key has white space in it"),
        (f"{CANARY}€", "the key holds a control character, or one that a header cannot (outside Latin-1)"),
        (f"{CANARY}\x01", "the key holds a control character, or one that a header cannot (outside Latin-1)"),
        (
            f"{CANARY}\udcff",
            "the key holds a control character, or one that a header cannot (outside Latin-1)",
        ),
    ],
)
def test_what_cannot_be_a_key_is_refused(text, message):
    assert f"EPKIT_KEY: {message}" == refused(URL, EPKIT_KEY=text)


@pytest.mark.parametrize(
    "content", [b"k3y", b"k3y\n", b" k3y\r\n\n", b"\xef\xbb\xbfk3y\n", b"Bearer k3y\n", b"bearer\tk3y"]
)
def test_what_surrounds_a_key_in_its_file_is_left_out(tmp_path, content):
    assert found(URL, key_file=str(key_file(tmp_path, content))) == "Bearer k3y"


@pytest.mark.parametrize("content", [b"k\xe9y", b"k\xc3\xa9y"])
def test_latin_1_is_a_key_in_either_encoding(tmp_path, content):
    assert found(URL, key_file=str(key_file(tmp_path, content))) == "Bearer kéy"


def test_utf_16_is_no_key(tmp_path):
    assert "control character" in refused(URL, key_file=str(key_file(tmp_path, "k3y".encode("utf-16-le"))))


def test_the_word_bearer_in_a_key_is_noted(tmp_path):
    path = key_file(tmp_path, b"Bearer k3y\n")

    key = find_key(URL, key_file=str(path), headers=(), environ={})

    assert (f"--key-file {path} holds the word Bearer before the key; it was left out",) == key.notes


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_key_that_others_can_read_is_noted(tmp_path, mode):
    path = key_file(tmp_path, b"k3y", mode)

    key = find_key(URL, key_file=str(path), headers=(), environ={})

    assert (f"--key-file {path}: other users of this machine can access this key: chmod 600",) == key.notes
    assert Secret("Bearer k3y") == key.authorization


def test_a_private_key_file_is_not_noted(tmp_path):
    key = find_key(URL, key_file=str(key_file(tmp_path, b"k3y")), headers=(), environ={})

    assert key.notes == ()


def test_a_key_is_added_to_headers_that_have_none():
    key = Key(authorization=Secret("Bearer k"))

    assert key.added_to([("a", "b")]) == (("a", "b"), ("Authorization", "Bearer k"))
    assert key.added_to([("AUTHORIZATION", "x")]) == (("AUTHORIZATION", "x"),)
    assert Key().added_to([("a", "b")]) == (("a", "b"),)
