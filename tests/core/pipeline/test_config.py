"""`[pipelines.NAME]`: its values, and the messages for mistakes in it."""

import pytest

from epkit.core.pipeline.config import BenchSettings, DeploySettings, ProveSettings
from epkit.endpoint.config import parse_config
from epkit.errors import UsageError

BANK = '[pipelines.bank]\ndata = "bank.csv"\nlabel = "y"\n'
DEPLOYED = f'{BANK}deploy = {{ endpoint = "bank" }}\n'
AZURE = f'{BANK}deploy = {{ endpoint = "bank", backend = "azureml" }}\n'


def read(text, tmp_path):
    return parse_config(text.encode(), tmp_path / "epkit.toml").pipelines["bank"]


def test_a_pipeline_of_three_lines_has_the_defaults(tmp_path):
    found = read(BANK, tmp_path)

    assert ("bank", "bank.csv", "y", {}, (), None, 10) == (
        found.name, found.data, found.label, found.train, found.gate, found.deploy, found.keep,
    )  # fmt: skip
    assert ProveSettings(rows=20, payloads=20, tolerance=1e-9) == found.prove
    assert found.place.endswith("epkit.toml: pipelines.bank")


def test_every_key_is_read(tmp_path):
    text = (
        f'{AZURE}train = {{ runs = 4, test_size = 0.25, drop = ["duration"], balanced = true }}\n'
        'custom = ["a.py:make"]\ngate = ["AUC>=0.9"]\ncanary = [10, 100]\ncanary_wait = "90s"\nwatch = false\nkeep = 3\nprove = false\n'
        'bench = { requests = 9, slo = ["p99<1s"], against_live = true, rate = 20, fail_if = ["p99>+5%"] }\n'
    )
    found = read(text, tmp_path)

    assert {"runs": 4, "test_size": 0.25, "drop": ("duration",), "balanced": True} == found.train
    assert (("a.py:make",), ("AUC>=0.9",), (10, 100), False, 3, None) == (
        found.custom, found.gate, found.canary, found.watch, found.keep, found.prove,
    )  # fmt: skip
    assert 90.0 == found.canary_wait_s
    assert DeploySettings(endpoint="bank", backend="azureml") == found.deploy
    assert BenchSettings(requests=9, slo=("p99<1s",), fail_if=("p99>+5%",), against_live=True, rate=20.0) == found.bench


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{BANK}labell = 1\n", ':4: pipelines.bank.labell: unknown key; did you mean "label"?'),
        (f"{BANK}train = {{ run = 4 }}\n", ':4: pipelines.bank.train.run: unknown key; did you mean "runs"?'),
        (f'{BANK}train = {{ runs = "4" }}\n', "train.runs: must be a whole number"),
        (f"{BANK}train = {{ runs = true }}\n", "train.runs: must be a whole number"),
        (f"{BANK}train = 4\n", "pipelines.bank.train: must be a table: train = { … }"),
        (f'{BANK}gate = "AUC>=0.9"\n', "gate: must be an array"),
        (f"{BANK}gate = [1]\n", 'gate: must be an array of strings: gate = ["…"]'),
        (f"{BANK}keep = 0\n", "keep: must be from 1 to 10,000"),
        (f"{BANK}bench = {{}}\n", 'bench: needs a pipeline that deploys: add deploy = { endpoint = "NAME" }'),
        (f"{BANK}deploy = {{}}\n", 'deploy: endpoint is missing: deploy = { endpoint = "NAME" }'),
        (f'{BANK}deploy = {{ endpoint = "b", backend = "locl" }}\n', 'did you mean "local"?'),
        (
            f'{BANK}deploy = {{ endpoint = "b", backend = "azureml-v1" }}\n',
            "backend: an endpoint of azureml-v1 has one deployment, and no room for a candidate",
        ),
        (f'{BANK}deploy = {{ endpoint = "b", compute = "aci" }}\n', "deploy.compute: unknown key"),
        (f'{AZURE}canary_wait = "2m"\n', "canary_wait: needs canary = "),
        (f'{AZURE}canary = [10, 100]\ncanary_wait = "2x"\n', "canary_wait: must be a time of at most 24h"),
        (f'{AZURE}canary = [10, 100]\ncanary_wait = "25h"\n', "canary_wait: must be a time of at most 24h"),
        (f"{AZURE}canary = [10, 100]\ncanary_wait = 2\n", "canary_wait: must be a string"),
        (f"{DEPLOYED}canary = [10, 100]\n", "canary: only at Azure"),
        (f"{AZURE}canary = [10, 50]\n", "canary: rise, and end with 100"),
        (f"{AZURE}canary = [50, 10, 100]\n", "canary: rise, and end with 100"),
        (f"{AZURE}canary = [0, 100]\n", "canary: must be percents"),
        (f"{DEPLOYED}bench = {{ against_live = true }}\n", "say how much, with rate = 20"),
        (f'{DEPLOYED}bench = {{ fail_if = ["p99>+5%"] }}\n', "needs against_live = true and a rate"),
        (f"{DEPLOYED}bench = {{ rate = -1 }}\n", "bench.rate: must be above 0"),
        (f"{DEPLOYED}prove = {{ rows = 40, payloads = 20 }}\n", "together at most 50 requests"),
        (f"{DEPLOYED}prove = {{ tolerance = 1 }}\n", "tolerance: must be 0 or more, and below 1"),
        ('[pipelines.bank]\nlabel = "y"\n', ':1: pipelines.bank: data is missing: data = "bank.csv"'),
        ('[pipelines.bank]\ndata = "x"\n', ':1: pipelines.bank: label is missing: label = "y"'),
        ('[pipelines.bank]\ndata = " "\nlabel = "y"\n', "pipelines.bank.data: must not be empty"),
        ('[pipelines.bank]\ndata = "a\\u0000b"\nlabel = "y"\n', "data: must not contain a null character"),
        ('[pipelines."a/../b"]\ndata = "x"\nlabel = "y"\n', "the name of a pipeline must be 1 to 63 letters"),
        ("pipelines = 1\n", "pipelines: must be a table: [pipelines.NAME]"),
        ("[pipelines]\nbank = 1\n", "pipelines.bank: must be a table"),
    ],
)
def test_a_mistake_is_one_line_that_says_where(text, words, tmp_path):
    with pytest.raises(UsageError) as refused:
        read(text, tmp_path)

    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_name_that_is_not_there_is_suggested(tmp_path):
    config = parse_config(BANK.encode(), tmp_path / "epkit.toml")

    with pytest.raises(UsageError, match='no pipeline has the name "banl"; one of bank; did you mean "bank"'):
        config.pipeline("banl")
