"""A misspelt command, flag, value or name gets one line with the probable name, and exit code 2."""

import pytest

from support.cli_harness import complaint

FILE = '[endpoints.prod]\nuri = "http://127.0.0.1:9/score"\n[pipelines.bank]\ndata = "bank.csv"\nlabel = "y"\n'


NEITHER = "an endpoint in epkit.toml nor a URL: a URL begins with http:// or https://"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bnch", 'no such command: bnch; did you mean "bench"? (see epkit --help)'),
        ("zzz", "no such command: zzz (see epkit --help)"),
        ("logs shwo bank", 'no such command: shwo; did you mean "show"? (see epkit logs --help)'),
        ("deploy creat bank", 'no such command: creat; did you mean "create"? (see epkit deploy --help)'),
        ("pipeline rn bank", 'no such command: rn; did you mean "run"? (see epkit pipeline --help)'),
        ("help bnch", 'no such command: bnch; did you mean "bench"? (see epkit --help)'),
        ("help deploy creat", 'no such command: creat; did you mean "create"? (see epkit deploy --help)'),
        ("help bench x", "help bench x: epkit bench has no commands under it"),
        ("--verson", 'no such option: --verson; did you mean "--version"? (see epkit --help)'),
        ("bench --fromat json", 'no such option: --fromat; did you mean "--format"? (see epkit bench --help)'),
        ("bench --rat=5", 'no such option: --rat; did you mean "--rate"? (see epkit bench --help)'),
        ("bench -rate 5", 'no such option: -rate; did you mean "--rate"? (see epkit bench --help)'),
        ("bench --no-keepaliv", 'no such option: --no-keepaliv; did you mean "--no-keepalive"? (see epkit bench --help)'),
        ("bench -z 5", 'no such option: -z; did you mean "-Z"? (see epkit bench --help)'),
        ("bench --zzzzz", "no such option: --zzzzz (see epkit bench --help)"),
        ("logs show --tial 3", 'no such option: --tial; did you mean "--tail"? (see epkit logs show --help)'),
        ("bench --format jsn", '--format jsn: not one of text, ab, json, markdown; did you mean "json"?'),
        ("bench --engine wir prod", '--engine wir: not one of wire, httpx; did you mean "wire"?'),
        ("bench --arrivals poison prod", '--arrivals poison: not one of constant, poisson; did you mean "poisson"?'),
        ("bench --check replies prod", '--check replies: not one of status, reply, contract, expect; did you mean "reply"?'),
        ("deploy list --backend azurml", '--backend azurml: not one of local, azureml, azureml-v1; did you mean "azureml"?'),
        ("deploy keys bank --regenerate primry", '--regenerate primry: not one of primary, secondary; did you mean "primary"?'),
        ("pipeline run bank --from tran", '--from tran: not one of data, train, gate; did you mean "train"?'),
        ("check prd", f'"prd" is neither {NEITHER}; did you mean "prod"?'),
    ],
)  # fmt: skip
def test_what_was_probably_meant_is_said(cli, line, said):
    cli.write("epkit.toml", FILE)

    assert said == complaint(cli(*line.split()), 2)


def test_pipelines_shapes_and_keys_of_the_file_too(cli, rows):
    cli.write("epkit.toml", FILE)

    assert complaint(cli("pipeline", "run", "bnk"), 2).endswith('; one of bank; did you mean "bank"?')
    assert complaint(cli("bench", "--wrap", "@oi", "-p", rows, "prod"), 2).endswith('; did you mean "@oip"?')
    cli.write("epkit.toml", FILE.replace("label", "lable"))
    assert 'unknown key; did you mean "label"?' in complaint(cli("pipeline", "run", "bank"), 2)


def test_an_arm_of_a_saved_run_too(cli, rows, fault_server):
    url = fault_server.url("ok")
    ran = cli("bench", "--no-validate", "-p", rows, "-n", 2, "--repeat", 2, "--against", url, "--save", "a.epkit", url)

    assert 0 == ran.code, ran.err
    said = complaint(cli("compare", "a.epkit#bas", "a.epkit#new"), 2)
    assert said.startswith("a.epkit#bas: no run of the arm bas: its arms are ")
    assert said.endswith('; did you mean "base"?'), said


def test_an_endpoint_of_this_machine_too(cli):
    cli.environ["XDG_STATE_HOME"] = str(cli.directory / "state")
    cli.write("state/epkit/endpoints/bank/settings.json", "{}")

    said = complaint(cli("deploy", "show", "bnk"), 6)
    assert 'bnk: no endpoint of this name on this machine: epkit deploy list; did you mean "bank"?' == said
