"""ab's flags work as in ab; the server shows what was sent."""

import base64
import ssl
import sys
from importlib.metadata import version

import pytest

from support.canary import CANARY
from support.cli_harness import TWO_ROWS, complaint
from support.places import ROOT


@pytest.fixture
def sent(cli, rows, fault_server):
    """Run `epkit bench FLAGS URL`, which must succeed, and return the requests that the server received."""

    def run(*flags, name="ok", tls=None, payload=True):
        body = ("-p", rows) if payload else ()
        trust = ("--cacert", fault_server.cacert) if tls else ()
        ran = cli("bench", "--no-validate", *body, *trust, *flags, fault_server.url(name, tls=tls))

        assert (0, "") == (ran.code, ran.err)
        return fault_server.seen

    return run


def test_without_flags_a_get_is_sent_once(sent):
    (seen,) = sent(payload=False)

    assert ("GET", "/fault/ok", b"") == (seen.method, seen.target, seen.body)


def test_headers_are_few_and_plain(sent, fault_server):
    (seen,) = sent()

    assert (
        ("Host", f"127.0.0.1:{fault_server.port}"),
        ("User-Agent", f"epkit/{version('epkit')}"),
        ("Accept", "*/*"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(TWO_ROWS))),
    ) == seen.headers


def test_p_posts_the_file_to_the_byte(sent):
    (seen,) = sent()

    assert ("POST", TWO_ROWS.encode()) == (seen.method, seen.body)


def test_p_takes_stdin(cli, fault_server):
    ran = cli("bench", "--no-validate", "-p", "-", fault_server.url("ok"), stdin=TWO_ROWS.encode())

    assert 0 == ran.code
    assert TWO_ROWS.encode() == fault_server.seen[0].body


def test_several_payloads_are_sent_in_turn(cli, sent):
    other = cli.write("other.json", '{"data": [{"age": 1}, {"age": 2}]}')

    seen = sent("-p", other, "-n", 5)

    bodies = [request.body.decode() for request in seen]
    assert [TWO_ROWS, cli.read(other), TWO_ROWS, cli.read(other), TWO_ROWS] == bodies


def test_the_lines_of_a_jsonl_are_sent_in_turn(cli, sent):
    lines = [f'{{"data": [{{"age": {age}}}, {{"age": 2}}]}}' for age in (1, 2, 3)]
    name = cli.write("many.jsonl", "\n".join(lines) + "\n")

    seen = sent("-p", name, "-n", 4, payload=False)

    assert [*lines, lines[0]] == [request.body.decode() for request in seen]


def test_u_puts_the_file(sent, rows):
    (seen,) = sent("-u", rows, payload=False)

    assert ("PUT", TWO_ROWS.encode()) == (seen.method, seen.body)


def test_i_sends_head(sent):
    seen = sent("-i", "-n", 3, payload=False)

    assert ["HEAD"] * 3 == [request.method for request in seen]


def test_m_sends_another_method(sent):
    (seen,) = sent("-m", "PATCH")

    assert ("PATCH", TWO_ROWS.encode()) == (seen.method, seen.body)


def test_capital_t_sets_the_content_type(sent):
    (seen,) = sent("-T", "text/csv")

    assert "text/csv" == seen.header("Content-Type")


def test_capital_h_adds_headers_and_replaces_epkits_own(sent):
    (seen,) = sent("-H", "X-Team: risk", "-H", "Accept: text/plain", "-H", "X-Empty:")

    assert ("risk", "text/plain", "") == tuple(seen.header(name) for name in ("X-Team", "Accept", "X-Empty"))
    assert 1 == sum(name == "Accept" for name, _ in seen.headers)


def test_capital_h_may_replace_the_host(sent):
    (seen,) = sent("-H", "Host: elsewhere.example")

    assert ["elsewhere.example"] == [value for name, value in seen.headers if name == "Host"]


def test_capital_c_sends_cookies(sent):
    (seen,) = sent("-C", f"session={CANARY}", "-C", "theme=dark")

    assert f"session={CANARY}; theme=dark" == seen.header("Cookie")


def test_capital_a_sends_basic_authorization(sent):
    (seen,) = sent("-A", f"user:{CANARY}")

    assert "Basic " + base64.b64encode(f"user:{CANARY}".encode()).decode() == seen.header("Authorization")


def test_capital_p_without_a_proxy_goes_to_the_server_as_in_ab(sent):
    (seen,) = sent("-P", f"proxy:{CANARY}")

    assert "Basic " + base64.b64encode(f"proxy:{CANARY}".encode()).decode() == seen.header("Proxy-Authorization")


def test_n_sends_so_many_and_c_opens_so_many_connections(sent, fault_server):
    seen = sent("-n", 40, "-c", 4, name="delay?ms=5")

    assert 40 == len(seen)
    assert 4 == fault_server.connections


@pytest.mark.parametrize("flags", [[], ["-k"], ["--keepalive"]])
def test_connections_are_kept(sent, fault_server, flags):
    seen = sent("-n", 5, *flags)

    assert 1 == fault_server.connections
    assert {None} == {request.header("Connection") for request in seen}


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_no_keepalive_opens_a_connection_for_each_request(sent, fault_server, engine):
    seen = sent("-n", 5, "--no-keepalive", "--engine", engine)

    assert 5 == fault_server.connections
    assert {"close"} == {request.header("Connection") for request in seen}


def test_t_ends_the_run_whatever_n_says(cli, rows, fault_server):
    ran = cli("bench", "--no-validate", "-t", 0.3, "-n", 100_000, "-p", rows, "--format", "json", fault_server.url("delay"))  # fmt: skip

    assert 0 == ran.code
    assert 0.2 < ran.report["run"]["duration_s"] < 2
    assert ran.report["counts"]["sent"] < 1000


@pytest.mark.parametrize("order", [["-t", "10", "-n", "3"], ["-n", "3", "-t", "10"]])
def test_n_ends_the_run_whatever_t_says_in_any_order(sent, order):
    assert 3 == len(sent(*order))


def test_s_times_one_request_out_and_the_run_goes_on(cli, rows, fault_server):
    ran = cli("bench", "--no-validate", "-s", 0.2, "-n", 2, "-p", rows, "--format", "json", fault_server.url("never"))

    assert {"timeout": 2} == ran.failures


def test_capital_b_binds_the_local_address(sent):
    (seen,) = sent("-B", "127.0.0.2" if sys.platform == "linux" else "127.0.0.1")

    assert seen.peer.startswith("127.0.0.")
    assert sys.platform != "linux" or "127.0.0.2" == seen.peer


def test_b_sets_the_buffers_and_changes_nothing_else(sent):
    (seen,) = sent("-b", 4096)

    assert TWO_ROWS.encode() == seen.body


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_capital_e_shows_the_clients_certificate(cli, rows, fault_server, engine):
    url = fault_server.url("ok", tls="mutual")
    flags = ("--no-validate", "--engine", engine, "-p", rows, "--cacert", fault_server.cacert)

    with_it = cli("bench", *flags, "-E", fault_server.client_cert, url)
    without = cli("bench", *flags, url)

    assert (0, "") == (with_it.code, with_it.err)
    assert ": the only request failed: " in complaint(without, 4)


def by_name(fault_server):
    return f"https://localhost:{fault_server.tls['valid']}/fault/ok"


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_the_name_of_the_host_is_sent_in_the_handshake(cli, rows, fault_server, engine):
    ran = cli(
        "bench", "--no-validate", "-p", rows, "--engine", engine, "--cacert", fault_server.cacert, by_name(fault_server)
    )

    assert (0, ["localhost"]) == (ran.code, fault_server.sni)


def test_capital_i_sends_no_name_in_the_handshake(cli, rows, fault_server):
    ran = cli("bench", "--no-validate", "-p", rows, "-I", "--cacert", fault_server.cacert, by_name(fault_server))

    assert (0, [None]) == (ran.code, fault_server.sni)


@pytest.mark.parametrize(("flag", "protocol"), [("TLS1.2", "TLSv1.2"), ("TLS1.3", "TLSv1.3")])
def test_f_chooses_the_version_of_tls(cli, rows, fault_server, flag, protocol):
    ran = cli("bench", "--no-validate", "-p", rows, "-f", flag, "--cacert", fault_server.cacert, fault_server.url("ok", tls="valid"))  # fmt: skip

    assert 0 == ran.code
    assert f"SSL/TLS Protocol:       {protocol}," in ran.out


def test_capital_z_chooses_the_cipher(cli, rows, fault_server):
    cipher = "ECDHE-ECDSA-AES256-GCM-SHA384"
    if cipher not in {each["name"] for each in ssl.create_default_context().get_ciphers()}:
        pytest.skip(f"OpenSSL has no {cipher}")

    ran = cli("bench", "--no-validate", "-p", rows, "-f", "TLS1.2", "-Z", cipher, "--cacert", fault_server.cacert, fault_server.url("ok", tls="valid"))  # fmt: skip

    assert 0 == ran.code
    assert f"TLSv1.2,{cipher},256" in ran.out


def test_insecure_takes_any_certificate(sent):
    assert 1 == len(sent("--insecure", tls="expired"))


def test_connect_to_goes_elsewhere_and_names_the_target(cli, rows, fault_server):
    ran = cli("bench", "--no-validate", "-p", rows, "--connect-to", f"127.0.0.1:{fault_server.port}", "http://model.example/fault/ok")  # fmt: skip

    assert 0 == ran.code
    assert "model.example" == fault_server.seen[0].header("Host")


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets")
def test_a_unix_socket_is_a_target(cli, rows, fault_server):
    ran = cli("bench", "-p", rows, f"unix:{fault_server.unix}:/fault/ok")

    assert (0, "") == (ran.code, ran.err)


def test_deployment_pins_one(sent):
    (seen,) = sent("--deployment", "green")

    assert "green" == seen.header("azureml-model-deployment")


@pytest.mark.parametrize(
    "flags",
    [
        ["-n10", "-c2"],
        ["-kr", "-n", "10"],
        ["-r", "-k", "-l", "-q", "-d", "-S", "-n", "10"],
        ["--requests", "10", "--concurrency", "2"],
    ],
)
def test_flags_are_written_as_ab_and_gnu_write_them(cli, rows, fault_server, flags):
    ran = cli("bench", "--no-validate", "-p", rows, *flags, fault_server.url("ok"))

    assert (0, "") == (ran.code, ran.err)
    assert 10 == len(fault_server.seen)


def test_d_leaves_the_percentiles_out_and_capital_s_the_deviations(cli, rows, fault_server):
    plain = cli("bench", "-n", 5, "-p", rows, fault_server.url("ok")).out
    bare = cli("bench", "-n", 5, "-d", "-S", "-p", rows, fault_server.url("ok")).out

    assert "Percentage of the requests served" in plain
    assert "[+/-sd]" in plain
    assert "Percentage of the requests served" not in bare
    assert "[+/-sd]" not in bare


@pytest.mark.parametrize(("flags", "failed"), [([], "1"), (["-l"], "0")])
def test_l_forgives_other_lengths_in_abs_report(cli, rows, fault_server, flags, failed):
    ran = cli("bench", "--format", "ab", "-n", 3, *flags, "-p", rows, fault_server.url("flaky"))

    assert f"Failed requests:        {failed}\n" in ran.out


def test_the_courses_line_runs_with_one_word_changed(cli, bank):
    cli.write("data.json", (ROOT / "payloads" / "bank-two-rows.json").read_bytes())
    key = bank.key.reveal()

    ran = cli(
        "bench", "-n", 10, "-v", 4, "-p", "data.json", "-T", "application/json", "-H", f"Authorization: Bearer {key}",
        bank.uri,
    )  # fmt: skip

    assert 0 == ran.code
    assert key not in ran.out + ran.err
    assert "Authorization: Bearer ***" in ran.lines
    assert 10 == ran.lines.count("LOG: Response code = 200")
    assert "10 of 10 succeeded" == ran.out.splitlines()[-1]
