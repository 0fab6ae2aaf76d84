"""The table of servers equals the list of trials."""

import re

from support.genuine_servers import LOCKS, SERVERS
from support.goldens import check_file
from support.pages import read
from support.places import ROOT
from support.server_cases import ALONE, CASES, TRIALS, Case, Trial

PAGE = ROOT / "docs" / "servers.md"
MAKERS = {
    "mlserver": "MLServer", "kserve": "KServe", "bentoml": "BentoML", "fastapi": "FastAPI", "litserve": "LitServe",
    "mlflow": "MLflow", "azure": "Azure ML",
}  # fmt: skip
PACKAGES = {"mlflow": "mlflow-skinny", "azure": "azureml-inference-server-http"}
"""The package whose version is shown, if its name differs from that of its environment."""
COLUMNS: dict[str, tuple[Trial, ...]] = {
    "contract": ("contract",), "sample": ("sample",), "validate": ("validate", "text"), "score": ("score",),
    "bench": ("bench",),
}  # fmt: skip
"""The trials that use the contract: columns of the table, and the trials that must succeed for a yes."""


def maker(case: Case) -> str:
    """Return the maker of the server, with the version of the trials."""
    environment = SERVERS[case.server].environment
    package = PACKAGES.get(environment, environment)
    (version,) = re.findall(rf"^{package}==(\S+)$", read(LOCKS / f"{environment}.txt"), re.MULTILINE)
    return f"{MAKERS[environment]} {version}"


def general(path: str) -> str:
    """Return a path without the names of this page's models."""
    return re.sub(r"(?<=/models/)\w+|(?<=/predictions/)\w+", "NAME", path).replace("/v1/infer", "/V/infer")


def works(case: Case, trials: tuple[Trial, ...]) -> str:
    """Return whether all of these trials work at a path."""
    return "yes" if set(trials) <= set(case.trials) else "none"


def row(case: Case) -> list[str]:
    by_contract = [works(case, trials) for trials in COLUMNS.values()]
    wrap = "none" if case.wrap is None else f"`--wrap {case.wrap}`"
    return [maker(case), f"`{general(case.path)}`", case.model, *by_contract, wrap, works(case, ("load", "check"))]


def test_every_trial_is_in_the_table():
    assert set(TRIALS) == {trial for trials in COLUMNS.values() for trial in trials} | set(ALONE)


def test_the_table_of_servers_is_what_is_tried():
    head = ["server", "path", "takes", *COLUMNS, "score without it", "bench and check with your own body"]
    made = "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *map(row, CASES)])
    before, begin, rest = re.split(r"(<!-- servers: begin[^>]*-->\n)", read(PAGE))
    _, end, after = rest.partition("<!-- servers: end -->")

    check_file(PAGE, f"{before}{begin}\n{made}\n\n{end}{after}")
