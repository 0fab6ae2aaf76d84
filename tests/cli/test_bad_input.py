"""Each input causes one line with the reason, and an exit code; never a traceback, never a hang."""

import os
import re
import socket
import sys
from importlib.util import find_spec

import pytest
import typer

from epkit.cli.app import application
from support.canary import CANARY
from support.cli_harness import complaint


def refused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


URL = "http://127.0.0.1:9/score"  # never connected to: the command ends before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-n", "0"], "-n 0: the number of requests must be 1 or more"),
        (["-n", "-1"], "-n -1: the number of requests must be 1 or more"),
        (["-n", "ten"], "-n ten: a number is written 100, 10k, 1M, 1e6 or 1_000"),
        (["-n", "1.5"], "-n 1.5: a number is written 100, 10k, 1M, 1e6 or 1_000"),
        (["-c", "0"], "-c 0: the concurrency must be from 1 to 20000"),
        (["-c", "20001", "-n", "30000"], "-c 20001: the concurrency must be from 1 to 20000"),
        (["-n", "2", "-c", "3"], "-c 3 is more than -n 2: no more can be in flight than are sent"),
        (["-c", "3"], "-c 3: how many requests? Give -n (1 unless given) or -t"),
        (["-t", "0"], "-t 0: must be more than 0 and less than 10^9 seconds"),
        (["-t", "-5"], "-t -5: must be more than 0 and less than 10^9 seconds"),
        (["-t", "nan"], "-t nan: must be more than 0 and less than 10^9 seconds"),
        (["-t", "inf"], "-t inf: must be more than 0 and less than 10^9 seconds"),
        (["-t", "soon"], "-t soon: a time is written 30s, 500ms, 1m30s or 2h; a number alone is seconds"),
        (["-s", "0"], "-s 0: must be more than 0 and less than 10^9 seconds"),
        (["-b", "0"], "-b 0: must be more than 0 and less than 2^31 bytes"),
        (["-b", "99999999999"], "-b 99999999999: must be more than 0 and less than 2^31 bytes"),
        (["-v", "much"], "-v much: not a whole number"),
        (["--format", "xyz"], "--format xyz: not one of text, ab, json, markdown"),
        (["--check", "xyz"], "--check xyz: not one of status, reply, contract, expect"),
        (["--engine", "curl"], "--engine curl: not one of wire, httpx"),
        (["--http2", "--engine", "wire"], "--http2 needs --engine httpx"),
        (["-I", "--engine", "httpx"], "-I needs --engine wire"),
        (["-b", "4096", "--http2"], "-b needs --engine wire, which --http2 rules out"),
        (["-X", "unix:/run/x"], "-X: unix:/run/x:/ is a Unix socket: a proxy is HOST:PORT or a URL"),
        (
            ["-X", "proxy:3128", "--connect-to", "unix:/run/x"],
            "-X: unix:/run/x is a socket of this machine, which no proxy reaches: leave -X out",
        ),
        (["-X", "proxy:many"], '-X: "http://proxy:many" has a port that is not a number from 1 to 65535'),
        (["-H", "nocolon"], "-H: a header is written 'Name: value'; the one given has no colon"),
        (["-H", "X-A: a\nb"], "-H: X-A: the value holds a line break or another control character"),
        (["-m", "GE T"], "-m GE T: a method is one word, such as POST"),
        (["-m", ""], "-m : a method is one word, such as POST"),
        (["-B", "192.0.2.1"], "-B 192.0.2.1: not an address of this machine"),
        (["-B", "no address"], "-B no address: not an address of this machine"),
        (["--connect-to", "nowhere"], '"nowhere" is not HOST:PORT or unix:PATH'),
        (["-p", "a.json", "-u", "b.json"], "-p, -u and -i choose POST, PUT and HEAD: give only one of them"),
        (["--target", URL], "the target is given twice: as an argument and with --target"),
        (["--key-file", "no.key"], "--key-file no.key: no such file"),
        (["--schema", "no.json"], "no.json: the contract cannot be read: No such file or directory"),
        (["-e", "no/x.csv"], "-e no/x.csv: there is no directory no"),
        (["-e", "."], "-e . is a directory"),
        (["-g", "no/x.tsv"], "-g no/x.tsv: there is no directory no"),
        (["another"], "got unexpected extra argument(s) (another) (see epkit bench --help)"),
        (["--xyzzy"], "no such option: --xyzzy (see epkit bench --help)"),
        (["-y", "x"], "no such option: -y (see epkit bench --help)"),
        (["-n"], "option '-n' requires an argument (see epkit bench --help)"),
    ],
)  # fmt: skip
def test_a_flag_that_cannot_be_followed(cli, arguments, said):
    assert said == complaint(cli("bench", URL, *arguments), 2)


def numbers():
    """Yield the command line of each option and argument of each command that takes a number, without its value."""

    def walk(command, words):
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*words, name))
        params = command.get_params(typer.Context(command))
        required = [param for param in params if param.param_type_name == "argument" and param.required]
        for param in params:
            if param.type_descriptor.annotation in (int, float):
                if param.param_type_name == "option":
                    yield (*words, *("1" for _ in required), f"{param.opts[-1]}=")
                else:
                    yield (*words, *("1" for _ in required if _ is not param), "")

    return walk(typer.main.get_command(application()), ())


NUMBERS = tuple(numbers())


def test_the_numbers_of_all_commands_are_found():
    assert {
        ("bench", "--requests="),
        ("sample", "--rows="),
        ("pipeline", "publish", "1", "--port="),
        ("pipeline", "show", "1", ""),
        ("pipeline", "compare", "1", "1", ""),
        ("deploy", "create", "1", "--instances="),
    } <= set(NUMBERS)


@pytest.mark.parametrize("value", ["many", "", "1.2.3", "9" * 5000 + "x"], ids=["word", "empty", "points", "long"])
@pytest.mark.parametrize("words", NUMBERS, ids=" ".join)
def test_every_number_has_a_plain_message_for_a_wrong_value(cli, words, value):
    said = complaint(cli(*words[:-1], words[-1] + value), 2)
    assert re.fullmatch(
        r"\S+ (many|\"\"|1\.2\.3|9{39}…): (not a (whole )?number|a (time|rate|number) is written .*)", said
    )


@pytest.mark.parametrize("words", NUMBERS, ids=" ".join)
def test_a_number_of_more_digits_than_python_reads(cli, words):
    if not words[-1].endswith("="):
        assert "not a whole number" in complaint(cli(*words[:-1], "9" * 5000), 2)
    else:
        # A float is infinite, and then it depends on the command whether this or a missing file comes first.
        assert "digits" not in cli(*words[:-1], words[-1] + "9" * 5000).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sample", "--rows", "-3"], "--rows -3: must be from 1 to 10,000,000"),
        (["sample", "--rows", "1e30"], "--rows 1e30: must be from 1 to 10,000,000"),
        (["sample", "--rows", "1.5"], "--rows 1.5: a number is written 100, 10k, 1M, 1e6 or 1_000"),
        (["sample", "--seed", "1.5"], "--seed 1.5: not a whole number"),
        (["validate", "--rows", "-1"], "--rows -1: must be 0 or more"),
        (["validate", "--max-violations", "-1"], "--max-violations -1: must be 0 or more"),
        (["logs", "show", "bank", "--tail", "0"], "--tail 0: must be from 1 to 1,000,000"),
        (["logs", "show", "bank", "--tail", "9" * 30], f"--tail {'9' * 30}: must be from 1 to 1,000,000"),
        (["deploy", "create", "bank", "--instances", "0"], "--instances 0: must be 1 or more"),
        (["docs", "--port", "1.5"], "--port 1.5: not a whole number"),
        (["docs", "--port", "-1"], "--port -1: a port is a number from 0 to 65535"),
        (["pipeline", "publish", "bank", "--port", "0"], "--port 0: a port is a number from 1 to 65535"),
        (["pipeline", "show", "bank", "last"], "RUN last: not a whole number"),
        (["pipeline", "compare", "bank", "3", "4.5"], "B 4.5: not a whole number"),
    ],
)  # fmt: skip
def test_a_number_out_of_its_limits(cli, words, said):
    assert said == complaint(cli(*words), 2)


def test_a_command_that_does_not_exist(cli):
    assert 'no such command: bensch; did you mean "bench"? (see epkit --help)' == complaint(cli("bensch"), 2)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.json", b"", "empty.json: empty: there is nothing to send"),
        ("half.json", b'{"data": [', "half.json:1:11: not JSON: expecting value: the text ends here"),
        ("words.json", b"age,job\n17,none\n", "words.json:1:1: not JSON: expecting value"),
        ("latin.json", b'{"a": "\xe9"}', "latin.json:1:8: not UTF-8: byte 0xe9: save the file as UTF-8"),
        ("binary.json", b"\0\1\2", "binary.json:1:1: not JSON: expecting value: this is binary, not a text"),
        ("blank.jsonl", b"\n\n", "blank.jsonl: empty: there is no line to send"),
        ("second.jsonl", b'{"data": []}\n{"data": ]\n', "second.jsonl:2:10: not JSON: expecting value"),
    ],
)  # fmt: skip
def test_a_payload_that_is_none(cli, name, content, said):
    cli.write(name, content)

    assert said == complaint(cli("bench", "-p", name, URL), 2)


def test_a_missing_payload(cli):
    assert "no.json: no such file" == complaint(cli("bench", "-p", "no.json", URL), 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "/dev/zero"], "/dev/zero: over 268,435,456 bytes, but a payload has 268,435,456 at most: epkit score "),
        (["--key-file", "/dev/zero"], "--key-file /dev/zero: over 65,536 bytes, but a key has 65,536 at most: "),
        (["--schema", "/dev/zero"], "/dev/zero: over 16,777,216 bytes, but a contract has 16,777,216 at most: "),
        (["--expect", "/dev/zero"], "/dev/zero: over 268,435,456 bytes, but a payload has 268,435,456 at most: "),
    ],
)
def test_a_device_without_end_is_not_read_to_it(cli, rows, fault_server, arguments, said):
    payload = [] if "-p" in arguments else ["-p", rows]

    assert complaint(cli("bench", *payload, *arguments, "-n", 1, fault_server.url("ok")), 2).startswith(said)


def test_a_directory_for_a_payload(cli):
    (cli.directory / "rows").mkdir()

    assert "rows is a directory, not a file" == complaint(cli("bench", "-p", "rows", URL), 2)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_payload(cli, rows):
    (cli.directory / rows).chmod(0)

    assert f"{rows}: cannot be read: Permission denied" == complaint(cli("bench", "-p", rows, URL), 2)


def test_a_payload_from_an_empty_stdin(cli):
    assert "stdin: empty: there is nothing to send" == complaint(cli("bench", "-p", "-", URL), 2)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes descriptors")
def test_a_payload_from_a_closed_stdin(cli):
    with cli.start("bench", "-p", "-", URL, stdin=None, preexec_fn=lambda: os.close(0)) as process:
        assert "stdin: empty: there is nothing to send" == complaint(cli.finished(process), 2)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("127.0.0.1:80/score", '"127.0.0.1:80/score" is neither an endpoint in epkit.toml nor a URL: a URL begins with http:// or https://'),
        ("prod", '"prod" is neither an endpoint in epkit.toml nor a URL: a URL begins with http:// or https://'),
        ("ftp://host/score", '"ftp://host/score" has a scheme that is not spoken here: a URL begins with http:// or https://'),
        ("http://", '"http://" names no host'),
        ("http://host:99999/", '"http://host:99999/" has a port that is not a number from 1 to 65535'),
        ("", '"" is neither an endpoint in epkit.toml nor a URL: a URL begins with http:// or https://'),
    ],
)  # fmt: skip
def test_a_target_that_is_none(cli, target, said):
    assert said == complaint(cli("bench", target), 2)


def test_a_host_that_nobody_knows(cli, rows):
    said = complaint(cli("bench", "-p", rows, "http://nobody.invalid/score"), 4)

    assert said.startswith("nobody.invalid: the name has no address (")


def test_a_host_that_nobody_knows_is_named_once_where_a_contract_would_be_asked_for(cli):
    assert complaint(cli("bench", "http://nobody.invalid/score"), 4).startswith("nobody.invalid: ")


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_a_port_that_refuses(cli, rows, engine):
    ran = cli("bench", "-n", 3, "--engine", engine, "-p", rows, f"http://127.0.0.1:{refused_port()}/score")

    assert "none of 3 requests succeeded: nothing listens there: " in complaint(ran, 4)
    assert "connect: 3" in ran.out


def test_a_port_that_refuses_is_told_once_where_a_contract_would_be_asked_for(cli):
    ran = cli("bench", f"http://127.0.0.1:{refused_port()}/score")

    assert ": the only request failed: nothing listens there: " in complaint(ran, 4)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[endpoints.bank]\nuri = "http://127.0.0.1:9/score"\ncolour = "red"', "colour"),
        (f'[endpoints.bank]\nuri = "http://127.0.0.1:9/score"\nkey = "{CANARY}"', "key"),
        ('default = "prod"\n[endpoints.bank]\nuri = "http://127.0.0.1:9/score"', "prod"),
        ("[endpoints.bank\n", "not TOML"),
    ],
)
def test_a_configuration_that_is_wrong(cli, rows, toml, said):
    cli.write("epkit.toml", toml)

    message = complaint(cli("bench", "-p", rows, "bank"), 2)

    assert "epkit.toml" in message
    assert said in message


def test_a_missing_extra_is_named(cli, monkeypatch):
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, package=None: None if name.startswith("azureml_inference") else find_spec(name, package),
    )

    assert "the embedded endpoint needs the Azure ML inference server: pip install \"epkit[local]\", or name a target" == complaint(
        cli("bench"), 2
    )  # fmt: skip


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        ("expired", "the server's certificate has expired: "),
        ("self-signed", "the server's certificate is signed by an unknown authority: "),
        ("wrong-name", "the server's certificate is for another name: "),
    ],
)
@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_a_certificate_that_cannot_be_trusted(cli, rows, fault_server, certificate, said, engine):
    url = fault_server.url("ok", tls=certificate)

    ran = cli("bench", "-n", 2, "-p", rows, "--engine", engine, "--cacert", fault_server.cacert, url)

    assert f"none of 2 requests succeeded: {said}" in complaint(ran, 4)
    assert "tls: 2" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cacert", "no.pem"], "no.pem: no such certificate file"),
        (["-E", "no.pem"], "no.pem: no such certificate file"),
        (["--cacert", "rows.json"], "rows.json: not a PEM file of certificates (NO_CERTIFICATE_OR_CRL_FOUND)"),
        (["-E", "rows.json"], "rows.json: not a PEM file with a certificate and its key (PEM)"),
        (["-f", "SSL9"], "-f SSL9: not one of ALL, TLS1, TLS1.0, TLS1.1, TLS1.2, TLS1.3"),
        (["-Z", "NOPE"], "-Z NOPE: no cipher of that name in "),
    ],
)
def test_tls_that_cannot_be_set_up_is_refused_before_anything_is_sent(cli, rows, fault_server, arguments, said):
    message = complaint(cli("bench", *arguments, fault_server.url("ok", tls="valid")), 2)

    assert message.startswith(said.partition(" (")[0])
    assert 0 == fault_server.connections


def test_a_reader_of_stdout_that_goes_away(cli, rows, fault_server):
    read, write = os.pipe()
    with cli.start("bench", "-n", 2, "-p", rows, fault_server.url("ok"), stdout=write) as process:
        os.close(read)
        os.close(write)

        assert "stdout was closed before everything was written" == complaint(cli.finished(process), 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_stdout_that_is_full(cli, rows, fault_server):
    with open("/dev/full", "wb") as full, cli.start("bench", "-p", rows, fault_server.url("ok"), stdout=full) as process:  # fmt: skip
        assert "stdout: No space left on device" == complaint(cli.finished(process), 2)


def test_a_stdout_that_is_closed(cli, rows, fault_server):
    with cli.start("bench", "-p", rows, fault_server.url("ok"), stdout=None, preexec_fn=lambda: os.close(1)) as process:
        assert "stdout is closed: the result cannot be written" == complaint(cli.finished(process), 2)


def test_a_stderr_that_is_closed_takes_nothing_from_the_report(cli, rows, fault_server):
    with cli.start(
        "bench", "-n", 2, "-p", rows, fault_server.url("404"), stderr=None, preexec_fn=lambda: os.close(2)
    ) as process:
        ran = cli.finished(process)

    assert 4 == ran.code
    assert "FAILED: 2 of 2 requests: 404 Not Found" == ran.out.splitlines()[-1]


def test_a_directory_for_failures_that_is_a_file_is_refused_before_the_run(cli, rows, fault_server):
    ran = cli("bench", "-p", rows, "--keep-failures", rows, fault_server.url("500"))

    assert f"--keep-failures {rows} is not a directory" == complaint(ran, 2)
    assert 0 == fault_server.connections


def test_a_file_that_cannot_be_written_when_the_run_is_over_does_not_take_the_report_with_it(
    cli, rows, fault_server, monkeypatch
):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("epkit.files.writing.write_all", full)
    cli.write("x.csv", "of yesterday")

    ran = cli("bench", "-p", rows, "-e", "x.csv", fault_server.url("ok"))

    assert "-e x.csv: no space left on device: make room there, or name another place" == complaint(ran, 2)
    assert "of yesterday" == cli.read("x.csv")
    assert "1 of 1 succeeded" == ran.out.splitlines()[-1]


def test_an_old_encoding_of_stdout_garbles_characters_and_nothing_else(cli, rows, fault_server):
    cli.environ["PYTHONIOENCODING"] = "ascii"

    ran = cli.spawn("bench", "-n", 2, "-p", rows, fault_server.url("ok"))

    assert (0, "") == (ran.code, ran.err)


def test_a_payload_that_is_not_checked_may_be_anything(cli, fault_server):
    name = cli.write("words.json", "age,job\n")

    ran = cli("bench", "-p", name, "--no-validate", fault_server.url("ok"))

    assert (0, "") == (ran.code, ran.err)
    assert b"age,job\n" == fault_server.seen[0].body


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps it")
def test_a_working_directory_that_is_gone(cli):
    gone = cli.directory / "gone"
    gone.mkdir()
    with cli.start("bench", URL, preexec_fn=lambda: (os.chdir(gone), gone.rmdir())) as process:
        assert "the working directory is gone: change to another one" == complaint(cli.finished(process), 2)


def test_help_and_version_are_commands_too(cli):
    assert cli("bench", "--help").out == cli("help", "bench").out
    assert cli("deploy", "create", "--help").out == cli("help", "deploy", "create").out
    assert cli("--version").out == cli("version").out
    assert cli("--version", "-v").out == cli("version", "-v").out
    assert 'no such command: bensh; did you mean "bench"? (see epkit --help)' == complaint(cli("help", "bensh"), 2)
