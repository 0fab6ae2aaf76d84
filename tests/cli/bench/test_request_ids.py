"""`--request-ids`: every request has an id, and reports contain it."""

import csv
import re

import pytest

from support.cli_harness import complaint
from support.proxy_server import Proxy

HEADER = "x-ms-client-request-id"


@pytest.fixture
def bench(cli, rows, fault_server):
    def run(*arguments, name="ok"):
        return cli("bench", "-p", rows, "--no-validate", *arguments, fault_server.url(name))

    return run


def samples(cli, file="s.csv"):
    return list(csv.DictReader(cli.read(file).splitlines()))


def seen(server, header=HEADER):
    return [request.header(header) for request in server.seen]


def slowest_of(rows):
    """Return the ids of the ten slowest requests, the slowest first."""
    good = sorted((row for row in rows if not row["failure"]), key=lambda row: -float(row["service_ms"]))
    return [row["request_id"] for row in good[:10]]


@pytest.mark.parametrize("engine", ["wire", "httpx"])
@pytest.mark.parametrize("load", [("-n", 40, "-c", 4), ("--rate", 200, "-n", 40), ("-n", 40, "--no-keepalive")])
def test_samples_and_the_slowest_have_the_ids_that_the_server_saw(cli, bench, fault_server, engine, load):
    flags = ["--request-ids", "--samples", "s.csv", "--html", "r.html", "--format", "json", "--engine", engine]
    report = bench(*load, *flags, name="echo-id").report
    rows = samples(cli)
    ids = [row["request_id"] for row in rows]

    assert sorted(seen(fault_server)) == sorted(ids)
    assert 40 == len(set(ids))
    assert {report["run"]["id"]} == {id_.partition("-")[0] for id_ in ids}
    assert slowest_of(rows) == [request["id"] for request in report["slowest"]]
    assert all(id_ in cli.read("r.html") for id_ in slowest_of(rows))
    assert sum(len(r.body) + len(r.header(HEADER)) for r in fault_server.seen) < report["http"]["bytes_out"]


def test_without_the_flag_there_are_none(cli, bench, fault_server):
    report = bench("-n", 20, "--samples", "s.csv", "--html", "r.html", "--format", "json").report

    assert [None] * 20 == seen(fault_server)
    assert "request_id" not in samples(cli)[0]
    assert report["run"]["request_ids"] is None
    assert (10, {None}) == (len(report["slowest"]), {request["id"] for request in report["slowest"]})
    assert "The slowest requests" in cli.read("r.html")
    assert "Slowest request" not in bench("-n", 20).out


def test_a_trace_is_one_that_w3c_has(bench, fault_server):
    bench("-n", 9, "--request-ids=traceparent")
    ids = seen(fault_server, "traceparent")

    assert 9 == len(set(ids))
    assert all(re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", id_) for id_ in ids)


def test_the_text_names_the_slowest(cli, bench):
    text = bench("-n", 30, "--request-ids", "--samples", "s.csv").out
    line = text.splitlines().index(next(line for line in text.splitlines() if line.startswith("Slowest request:")))

    assert slowest_of(samples(cli))[0] == text.splitlines()[line + 1].strip()
    assert [] == [each for each in text.splitlines() if len(each) > 80]


@pytest.mark.parametrize("name", ["flaky", "not-json", "close-before", "error-in-200"])
def test_a_failure_has_the_id_of_its_first_request(cli, bench, fault_server, name):
    flags = ["-n", 9, "--request-ids", "--samples", "s.csv", "--keep-failures", "kept", "--format", "json"]
    (failure,) = bench(*flags, name=name).report["failures"]
    first = next(row for row in samples(cli) if row["failure"])

    assert first["request_id"] == failure["id"]
    assert failure["id"] in seen(fault_server)
    (kept,) = (cli.directory / "kept").iterdir()
    assert f"{HEADER} of this request: {failure['id']}" in kept.read_text()


def test_what_a_check_beside_the_run_finds_has_an_id_too(cli, bench):
    flags = ["-n", 20, "--warmup", 2, "--request-ids", "--samples", "s.csv", "--format", "json"]
    (failure,) = bench(*flags, "--expect", cli.write("golden.json", '{"result": ["yes", "yes"]}')).report["failures"]

    assert ("mismatch", 22) == (failure["kind"], failure["count"])
    assert failure["id"].startswith(samples(cli)[0]["request_id"].partition("-")[0])
    assert failure["id"] < min(row["request_id"] for row in samples(cli))


def test_what_was_never_sent_has_no_id(cli, rows):
    flags = ["-n", 3, "--request-ids", "--samples", "s.csv", "--format", "json"]
    (failure,) = cli("bench", "-p", rows, "--no-validate", *flags, "http://127.0.0.1:1/score").report["failures"]

    assert failure["id"] is None
    assert [""] * 3 == [row["request_id"] for row in samples(cli)]


def test_ids_count_from_the_warm_up_and_the_slowest_name_their_step(cli, bench, fault_server):
    flags = ["--warmup", 5, "--sweep", "c=1,2", "-n", 8, "--request-ids", "--samples", "s.csv", "--format", "json"]
    report = bench(*flags, name="delay?ms=2").report
    ids = [row["request_id"] for row in samples(cli)]

    assert 21 == len(set(seen(fault_server)))
    assert set(seen(fault_server)[5:]) == set(ids)
    assert slowest_of(samples(cli)) == [request["id"] for request in report["slowest"]]
    assert {"c=1", "c=2"} >= {request["phase"] for request in report["slowest"]}


def test_every_run_of_several_has_ids_of_its_own(bench, fault_server):
    bench("-n", 6, "--repeat", 3, "--request-ids")
    runs = {id_.partition("-")[0] for id_ in seen(fault_server)}

    assert (18, 3) == (len(set(seen(fault_server))), len(runs))


def test_workers_share_the_ids_out(cli, rows, fault_server, crew):
    flags = ["-n", 60, "-c", 4, "--warmup", 6, "--request-ids", "--samples", "s.csv", "--format", "json", *crew]
    ran = cli.spawn("bench", "-p", rows, "--no-validate", *flags, fault_server.url("echo-id"))
    ids = [row["request_id"] for row in samples(cli)]

    assert 66 == len(set(seen(fault_server))), ran.err
    assert 60 == len(set(ids) & set(seen(fault_server)))
    assert slowest_of(samples(cli)) == [request["id"] for request in ran.report["slowest"]]


def test_a_saved_run_keeps_its_ids_also_where_it_was_cut_off(cli, bench, fault_server):
    ran = bench("-n", 30, "--warmup", 3, "--request-ids", "--save", "x.epkit", "--samples", "s.csv", "--format", "json")
    again = cli("report", "x.epkit", "--format", "json", "--samples", "again.csv")
    data = (cli.directory / "x.epkit").read_bytes()
    (cli.directory / "cut.epkit").write_bytes(data[: data.rindex(b"DONE")])
    cut = cli("report", "cut.epkit", "--format", "json")

    assert ran.out == again.out
    assert cli.read("s.csv") == cli.read("again.csv")
    assert [request["id"] for request in ran.report["slowest"]] == [request["id"] for request in cut.report["slowest"]]


def test_a_target_is_not_taken_for_the_header(cli, fault_server):
    ran = cli("bench", "-n", 2, "--no-validate", "--request-ids", fault_server.url("ok"))

    assert 0 == ran.code, ran.err
    assert 2 == len(set(seen(fault_server)) - {None})


def test_the_dry_run_shows_where_an_id_goes(bench):
    assert f"{HEADER}: {'0' * 16}-{'0' * 15}\n" in bench("--dry-run", "--request-ids").out


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Connection", "User-Agent", "Content-Type", "Expect", "azureml-model-deployment"]
)
def test_a_header_with_a_meaning_of_its_own_is_refused(bench, fault_server, name):
    assert complaint(bench(f"--request-ids={name}"), 2).startswith(f"--request-ids={name}: ")
    assert [] == fault_server.seen


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "x-api-key", "x-session", "Proxy-Authorization"])
def test_a_header_of_credentials_is_refused(bench, name):
    assert "its name marks it as a credential" in complaint(bench(f"--request-ids={name}"), 2)


@pytest.mark.parametrize("name", ["a b", "a:b", "ä", "x\ny"])
def test_what_is_no_name_of_a_header_is_refused(bench, name):
    assert "the name of a header holds only" in complaint(bench(f"--request-ids={name}"), 2)


def test_a_header_that_is_sent_already_is_refused(bench, fault_server):
    said = complaint(bench("-H", f"{HEADER.upper()}: mine", "--request-ids"), 2)

    assert f"--request-ids={HEADER}: this header is sent already, and an id would be a second value of it" == said
    assert [] == fault_server.seen


@pytest.mark.parametrize("tls", [None, "valid"])
@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_through_tls_and_a_proxy_the_id_is_the_same(cli, rows, fault_server, engine, tls):
    flags = ["-n", 5, "--request-ids", "--samples", "s.csv", "--engine", engine, "--cacert", fault_server.cacert]
    with Proxy() as proxy:
        flags += ["-X", f"127.0.0.1:{proxy.port}"]
        ran = cli("bench", "-p", rows, "--no-validate", *flags, fault_server.url("echo-id", tls=tls))

    assert 0 == ran.code, ran.err
    assert sorted(seen(fault_server)) == sorted(row["request_id"] for row in samples(cli))
