"""`epkit.toml` is searched for in parent directories, read strictly, and each mistake is one line with its place."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.http.url import parse
from epkit.endpoint.config import MAX_BYTES, MAX_KEY_PARTS, Config, TargetSpec, parse_config
from epkit.endpoint.finding import find_config
from epkit.errors import UsageError

CANARY = "c4naryK3y"
BANK = '[endpoints.bank]\nuri = "https://host/score"\n'


def problem(text: str | bytes) -> str:
    """Return the message about a broken file, without its path."""
    path = Path("/p/epkit.toml")
    with pytest.raises(UsageError) as caught:
        parse_config(text if isinstance(text, bytes) else text.encode(), path)
    assert caught.value.__suppress_context__
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{path}:")
    return message.removeprefix(f"{path}:")


def test_every_key_of_the_manual_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    text = """\
default = "bank"

[endpoints.bank]
uri = "https://example.westeurope.azurecontainer.io/score"
swagger = "swagger/bank.json"         # path or URL
auth = "key"
key_file = "~/.bank.key"
deployment = "blue"
timeout = 30
headers = { "x-team" = "risk" }
backend = "azureml"
service = "bank-service"
workspace = "ws"

[endpoints.open]
uri = "http://127.0.0.1:5001/score"
swagger = "http://127.0.0.1:5001/swagger.json?version=3"
auth = "none"
"""
    (tmp_path / "epkit.toml").write_text(text)

    config = find_config(tmp_path, {})

    path = tmp_path / "epkit.toml"
    bank = TargetSpec(
        name="bank",
        place=f"{path}: endpoints.bank",
        uri=parse("https://example.westeurope.azurecontainer.io/score"),
        swagger=tmp_path / "swagger/bank.json",
        auth="key",
        key_file=tmp_path / "home/.bank.key",
        deployment="blue",
        timeout_s=30.0,
        headers=(("x-team", "risk"),),
        backend="azureml",
        service="bank-service",
        workspace="ws",
    )
    open_ = TargetSpec(
        name="open",
        place=f"{path}: endpoints.open",
        uri=parse("http://127.0.0.1:5001/score"),
        swagger=parse("http://127.0.0.1:5001/swagger.json?version=3"),
        auth="none",
        timeout_s=60.0,
    )
    assert Config(path=path, default="bank", endpoints={"bank": bank, "open": open_}) == config


def test_published_pipelines_and_hosts_for_tokens_are_read(tmp_path):
    text = """\
aad_hosts = ["ML.example.com"]

[published.bank]
url = "http://127.0.0.1:8123/jobs"
backend = "local"
key_file = "bank.key"

[published.nightly]
url = "https://host.westeurope.inference.ml.azure.com/jobs"
backend = "azureml"
auth = "aad"
service = "nightly-1"
workspace = "ws"
"""
    (tmp_path / "epkit.toml").write_text(text)

    config = find_config(tmp_path, {})

    path = tmp_path / "epkit.toml"
    bank = TargetSpec(
        name="bank",
        place=f"{path}: published.bank",
        uri=parse("http://127.0.0.1:8123/jobs"),
        key_file=tmp_path / "bank.key",
        backend="local",
    )
    nightly = TargetSpec(
        name="nightly",
        place=f"{path}: published.nightly",
        uri=parse("https://host.westeurope.inference.ml.azure.com/jobs"),
        auth="aad",
        backend="azureml",
        service="nightly-1",
        workspace="ws",
    )
    expected = Config(
        path=path,
        default=None,
        endpoints={},
        published={"bank": bank, "nightly": nightly},
        aad_hosts=("ml.example.com",),
    )
    assert expected == config


def test_the_nearest_file_upward_is_read(tmp_path):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "epkit.toml").write_text(BANK)
    (tmp_path / "a" / "epkit.toml").write_text("")
    (below / "epkit.toml").mkdir()

    assert tmp_path / "a" / "epkit.toml" == find_config(below, {}).path
    assert list(find_config(tmp_path, {}).endpoints) == ["bank"]


def test_no_file_is_no_configuration(tmp_path):
    assert find_config(tmp_path, {}) is None


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "epkit.toml").symlink_to("epkit.toml")

    with pytest.raises(UsageError, match=r"epkit\.toml: cannot be read: "):
        find_config(tmp_path, {})


def test_windows_line_ends_and_a_byte_order_mark_are_read():
    content = b"\xef\xbb\xbf" + BANK.replace("\n", "\r\n").encode()

    assert list(parse_config(content, Path("/p/epkit.toml")).endpoints) == ["bank"]


PUBLISHED = '[published.bank]\nurl = "http://127.0.0.1:1/jobs"\n'
PIPELINE_NAME = "the name of a pipeline must be 1 to 63 letters, digits, - and _"
HOSTS = 'are names of hosts, without scheme, port and path: aad_hosts = ["ml.example.com"]'
LITERAL = "a key must not be written here, because files get committed; use key_env or key_file"


PASSWORD = "a password must not be written here, because files get committed; give the URL in EPKIT_TARGET"
AUTHS = "must be one of key, aad, aml_token, none"


@pytest.mark.parametrize(
    ("text", "line", "key", "why"),
    [
        (BANK + "tiemout = 5\n", "3", "endpoints.bank.tiemout", 'unknown key; did you mean "timeout"?'),
        (BANK + "zzz = 5\n", "3", "endpoints.bank.zzz", "unknown key"),
        (BANK + 'key_evn = "A"\n', "3", "endpoints.bank.key_evn", 'unknown key; did you mean "key_env"?'),
        ("defualt = 1\n" + BANK, "1", "defualt", 'unknown key; did you mean "default"?'),
        ("\n\n[endpoint.bank]\n", "3", "endpoint", 'unknown key; did you mean "endpoints"?'),
        (BANK + f'key = "{CANARY}"\n', "3", "endpoints.bank.key", LITERAL),
        ("[published.bank]\n", "1", "published.bank", 'url is missing: url = "http://127.0.0.1:PORT/jobs"'),
        (PUBLISHED + f'key = "{CANARY}"\n', "3", "published.bank.key", LITERAL),
        (PUBLISHED + 'uri = "https://host/jobs"\n', "3", "published.bank.uri", 'unknown key; did you mean "url"?'),
        (PUBLISHED + 'auth = "none"\n', "3", "published.bank.auth", "must be one of key, aad"),
        (PUBLISHED + 'backend = "cloud"\n', "3", "published.bank.backend", "must be one of local, azureml, azureml-v1"),
        ('[published."a/b"]\n', "1", 'published."a/b"', PIPELINE_NAME),
        (
            'aad_hosts = "ml.example.com"\n',
            "1",
            "aad_hosts",
            'must be an array of hosts: aad_hosts = ["ml.example.com"], not a string',
        ),
        *(
            (f"aad_hosts = {hosts}\n", "1", "aad_hosts", HOSTS)
            for hosts in ('["https://a.example"]', '["*.example"]', '["localhost"]', "[1]")
        ),
        (BANK + f'token = "{CANARY}"\n', "3", "endpoints.bank.token", LITERAL),
        (f'api_key = "{CANARY}"\n', "1", "api_key", LITERAL),
        (
            BANK + f'headers = {{ Authorization = "{CANARY}" }}',
            "3",
            "endpoints.bank.headers.Authorization",
            LITERAL,
        ),
        (
            BANK + f'headers = {{ a = "b", "api-key" = "{CANARY}" }}',
            "3",
            "endpoints.bank.headers.api-key",
            LITERAL,
        ),
        (BANK + f'[endpoints.bank.headers]\nx = "Bearer {CANARY}"', "4", "endpoints.bank.headers.x", LITERAL),
        (
            BANK + 'headers = { "a b" = "c" }',
            "3",
            'endpoints.bank.headers."a b"',
            "the name of a header holds only letters, digits and -_.!#$%&'*+^`|~",
        ),
        (
            BANK + 'headers = { a = "b\\r\\nc" }',
            "3",
            "endpoints.bank.headers.a",
            "a: the value holds a line break or another control character",
        ),
        (
            BANK + 'headers = { a = "€" }',
            "3",
            "endpoints.bank.headers.a",
            "a: the value holds a character that HTTP cannot write (outside Latin-1)",
        ),
        (BANK + "headers = { a = 1 }", "3", "endpoints.bank.headers.a", "must be a string, not a number"),
        (
            BANK + "headers = 1",
            "3",
            "endpoints.bank.headers",
            'must be a table: headers = { "x-team" = "risk" }, not a number',
        ),
        (
            BANK + 'deployment = "a\\n"',
            "3",
            "endpoints.bank.deployment",
            "azureml-model-deployment: the value holds a line break or another control character",
        ),
        (BANK + f'auth = "{CANARY}"', "3", "endpoints.bank.auth", AUTHS),
        (BANK + 'auth = "aml-token"', "3", "endpoints.bank.auth", f'{AUTHS}; did you mean "aml_token"?'),
        (
            BANK + 'key_env = "A"\nkey_file = "b"',
            "4",
            "endpoints.bank.key_file",
            "key_env and key_file are both given: keep one",
        ),
        (
            BANK + 'auth = "none"\nkey_env = "A"',
            "4",
            "endpoints.bank.key_env",
            'auth = "none" uses no key: drop key_env, or say auth = "key"',
        ),
        (
            BANK + 'auth = "aad"\nkey_file = "a"',
            "4",
            "endpoints.bank.key_file",
            'auth = "aad" uses no key: drop key_file, or say auth = "key"',
        ),
        (
            BANK + f'key_env = "{CANARY}+/="',
            "3",
            "endpoints.bank.key_env",
            f"not the name of an environment variable; if it is the key itself, {LITERAL}",
        ),
        (BANK + 'key_env = ""', "3", "endpoints.bank.key_env", "must not be empty"),
        (BANK + "key_env = 5", "3", "endpoints.bank.key_env", "must be a string, not a number"),
        (BANK + 'key_file = "a\\u0000b"', "3", "endpoints.bank.key_file", "must not contain a null character"),
        (
            BANK + 'key_file = "~no-such-user-here/x"',
            "3",
            "endpoints.bank.key_file",
            "there is no home directory for ~no-such-user-here",
        ),
        (
            '[endpoints.bank]\nauth = "key"',
            "1",
            "endpoints.bank",
            'uri is missing: uri = "https://HOST/score"',
        ),
        ('endpoints.bank.auth = "key"', "1", "endpoints.bank", 'uri is missing: uri = "https://HOST/score"'),
        ("[endpoints.bank]\nuri = 1", "2", "endpoints.bank.uri", "must be a string, not a number"),
        (
            '[endpoints.bank]\nuri = "host/score"',
            "2",
            "endpoints.bank.uri",
            '"host/score" is not a URL: a URL begins with http:// or https://',
        ),
        (
            '[endpoints.bank]\nuri = "ftp://host"',
            "2",
            "endpoints.bank.uri",
            '"ftp://host" has a scheme that is not spoken here: a URL begins with http:// or https://',
        ),
        (f'[endpoints.bank]\nuri = "https://me:{CANARY}@host/"', "2", "endpoints.bank.uri", PASSWORD),
        (BANK + f'swagger = "https://me:{CANARY}@host/"', "3", "endpoints.bank.swagger", PASSWORD),
        (
            BANK + "timeout = 0",
            "3",
            "endpoints.bank.timeout",
            "must be above 0 and at most 86400 seconds, not 0",
        ),
        (
            BANK + "timeout = -1.5",
            "3",
            "endpoints.bank.timeout",
            "must be above 0 and at most 86400 seconds, not -1.5",
        ),
        (
            BANK + "timeout = 0x" + "F" * 5000,
            "3",
            "endpoints.bank.timeout",
            "must be above 0 and at most 86400 seconds, not a number of many digits",
        ),
        (
            BANK + "timeout = nan",
            "3",
            "endpoints.bank.timeout",
            "must be above 0 and at most 86400 seconds, not nan",
        ),
        (
            BANK + "timeout = inf",
            "3",
            "endpoints.bank.timeout",
            "must be above 0 and at most 86400 seconds, not inf",
        ),
        (
            BANK + "timeout = true",
            "3",
            "endpoints.bank.timeout",
            "must be a number of seconds, or a time such as 30s, not a boolean",
        ),
        (
            BANK + 'timeout = "soon"',
            "3",
            "endpoints.bank.timeout",
            "a time is written 30s, 500ms, 1m30s or 2h; a number alone is seconds",
        ),
        (
            BANK + "timeout = 2024-01-01",
            "3",
            "endpoints.bank.timeout",
            "must be a number of seconds, or a time such as 30s, not a date or time",
        ),
        (
            BANK + "timeout = {}",
            "3",
            "endpoints.bank.timeout",
            "must be a number of seconds, or a time such as 30s, not a table",
        ),
        ("[[endpoints]]\nname = 'bank'", "1", "endpoints", "must be a table: [endpoints.NAME], not an array"),
        ("[endpoints]\nbank = 'https://host'", "2", "endpoints.bank", "must be a table, not a string"),
        (
            "default = 'bnak'\n" + BANK,
            "1",
            "default",
            'no endpoint has the name "bnak"; one of bank; did you mean "bank"?',
        ),
        ("default = 'bank'", "1", "default", 'no endpoint has the name "bank"; there are none in this file'),
        ("a = [\n1,\n", "2", "", "not TOML: invalid value"),
        ("[endpoints.bank]\nuri 5", "2:5", "", "not TOML: expected '=' after a key in a key/value pair"),
        (
            "[endpoints.bank]\n[endpoints.bank]",
            "2:16",
            "",
            "not TOML: cannot declare ('endpoints', 'bank') twice",
        ),
        (b"\n# \xff", "2", "", "not UTF-8: save the file as UTF-8"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(text, line, key, why):
    assert ": ".join(filter(None, [line, key, why])) == problem(text)


def test_a_file_nested_beyond_reading_is_one_line():
    assert problem("a = " + "[" * 100_000).startswith("1")


def test_the_line_is_right_behind_values_of_many_lines():
    text = "# [endpoints.bank]\n" + BANK + 'service = """\ntiemout = 1\n"""\n\n# x\n  tiemout = 2\n'

    assert problem(text) == '9: endpoints.bank.tiemout: unknown key; did you mean "timeout"?'


@pytest.mark.parametrize(
    "text",
    [
        "[endpoints.bank]\nuri = 1",
        "endpoints.bank.uri = 1",
        "[endpoints]\nbank.uri = 1",
        "[endpoints]\nbank = { headers = {}, uri = 1 }",
        "endpoints = { bank = { uri = 1 } }",
        "endpoints.'bank'.\"uri\" = [\n[],\n[1]]",
        "[ endpoints . bank ] # x\n'uri' = [{}]",
    ],
)
def test_the_line_is_found_however_the_key_is_written(text):
    assert problem("# comment\n\n" + text).startswith(
        f"{3 + text.partition('uri')[0].count(chr(10))}: endpoints.bank.uri:"
    )


def test_a_name_that_needs_quotes_is_shown_quoted_and_harmless():
    message = problem('[endpoints."a\\u001b[31m b"]\nuri = 1')

    assert message == '2: endpoints."a b".uri: must be a string, not a number'


MANY = 20_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a" + ".a" * MANY + " = 1", f"1: a key of more than {MAX_KEY_PARTS} parts: drop it"),
        ("[" + "a." * MANY + "a]", f"1: a key of more than {MAX_KEY_PARTS} parts: drop it"),
        ("x = {" + "'a'. " * MANY + "a = 1}", f"1: a key of more than {MAX_KEY_PARTS} parts: drop it"),
        ("x = [\n" + "1,\n" * MANY + "]\nz = 1", "1: x: unknown key"),
        ("x = [" + "1.5,\n" * MANY + "]\nz = 1", "1: x: unknown key"),
        (BANK + 'service = """\n' + "a.\n" * MANY + '"""\nz = 1', f"{MANY + 5}: endpoints.bank.z: unknown key"),
        (BANK + "service = '''" + "\"'\\\n" * MANY + "'''\nz = 1", f"{MANY + 4}: endpoints.bank.z: unknown key"),
        (BANK + "#.[\"'{\n" * MANY + "z = 1", f"{MANY + 3}: endpoints.bank.z: unknown key"),
        (BANK + 'z = """' + '\\"""' * MANY, "3: not TOML: unterminated string"),
        ("'''\"\"\"" * MANY, "1:3: not TOML: expected '='"),
        ('"' * 10 * MANY, "1:3: not TOML: expected '='"),
    ],
)  # fmt: skip
def test_a_long_file_is_read_in_linear_time_and_its_mistake_is_placed(text, said):
    begun = time.process_time()

    assert problem(text).startswith(said)
    assert time.process_time() - begun < 5  # a quadratic algorithm would take minutes


def test_long_words_are_not_compared_with_each_other():
    words = ["".join(chr(300 + i * step % 500) for i in range(MANY)) for step in (7, 11)]
    begun = time.process_time()

    assert problem(f'default = "{words[0]}"\n[endpoints."{words[1]}"]\nuri = "https://host"').startswith("1: default:")
    assert time.process_time() - begun < 5


def test_a_file_that_is_too_long_is_refused():
    assert f"longer than {MAX_BYTES:,} bytes: this is no epkit.toml" == problem("#" * (MAX_BYTES + 1)).strip()


@pytest.mark.parametrize(
    "text",
    [
        'service = """a\n" "" \\""" b""""\n',
        "service = '''a\n' '' \\''''\n",
        'service = "[{\\"" # ]\n',
        'service = \'[{\\\' # """\n',
        'headers = { "[" = "]",\t"x" = "{" } # }\n',
    ],
)
def test_the_line_is_right_behind_every_kind_of_string(text):
    assert f"{3 + text.count(chr(10))}: endpoints.bank.zz: unknown key" == problem(BANK + text + "zz = 1\n")


TOKENS = st.sampled_from([
    "[", "[[", "]", "{", "}", "endpoints", ".bank", ".", '"', "'", '"""', "'''", "\\", "\n", "\r\n", "=", " = ", ",", "#", "\t",
    "uri", "https://h/", "default", "auth", "key_env", "headers", "timeout", "swagger", "true", "1", "1.5", "0x", "F" * 5000,
    "-", "inf", "nan", "1979-05-27", "~", "\0", "é", "\u202e", "\ud800",
])  # fmt: skip


@given(begins=st.sampled_from(["", BANK]), tokens=st.lists(TOKENS, max_size=40))
def test_whatever_stands_in_a_file_is_read_or_refused_in_one_line(begins, tokens):
    content = (begins + "".join(tokens)).encode("utf-8", "surrogatepass")
    said = ""
    try:
        endpoints = parse_config(content, Path("/p/epkit.toml")).endpoints
    except UsageError as error:
        said, endpoints = str(error), {}

    assert 1 >= len(said.splitlines())
    assert said == "" or said.startswith("/p/epkit.toml:")
    assert all(spec.uri is not None for spec in endpoints.values())
