"""Reads `[pipelines.NAME]` of `epkit.toml`, and checks every key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from epkit.core.hosting.deployments import BackendName
from epkit.core.near import suggestion
from epkit.core.pipeline.publishable import Publishable, read_publishable
from epkit.core.quantities import read_ns

Refuse = Callable[[tuple[str, ...], str], NoReturn]
"""Called with a path of keys and the mistake in its value; it raises."""

PIPELINE_KEYS: Final = (
    "data",
    "label",
    "train",
    "custom",
    "gate",
    "deploy",
    "prove",
    "bench",
    "canary",
    "canary_wait",
    "watch",
    "publishable",
    "keep",
)

TRAIN_KINDS: Final[Mapping[str, type]] = {
    "task": str,
    "positive": str,
    "drop": list,
    "id": list,
    "metric": str,
    "runs": int,
    "time_limit": str,
    "workers": int,
    "seed": int,
    "balanced": bool,
    "folds": int,
    "holdout": float,
    "group": str,
    "time": str,
    "test_size": float,
    "threshold": str,
    "cohorts": list,
    "pairs": list,
    "export": list,
    "encoding": str,
    "decimal": str,
}
"""Type of each key of `train`. The keys are the flags of `epkit train`, with `_` for `-`."""

DEPLOY_KINDS: Final[Mapping[str, type]] = {
    "endpoint": str,
    "backend": str,
    "environment": str,
    "instance_type": str,
    "instances": int,
    "env": list,
}
"""Type of each key of `deploy`."""

PROVE_KINDS: Final[Mapping[str, type]] = {"rows": int, "payloads": int, "tolerance": float}
BENCH_KINDS: Final[Mapping[str, type]] = {
    "requests": int,
    "concurrency": int,
    "slo": list,
    "fail_if": list,
    "against_live": bool,
    "rate": float,
}

STAGED: Final[tuple[BackendName, ...]] = ("local", "azureml")
"""Backends that can run a candidate next to the deployment in use."""

MOST_WAIT_S: Final = 24 * 3600
"""Longest time between two steps of the traffic."""

MOST_PROVED: Final = 50
"""Greatest number of requests of `prove`."""

DEFAULT_KEEP: Final = 10
MOST_KEPT: Final = 10_000
NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
"""Characters of a pipeline's name: it is also the name of a directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploySettings:
    """Where to deploy the model.

    Args:
        endpoint: its name in `epkit.toml` and at the backend.
        environment, instance_type, instances, env: as in `epkit deploy create`; None or empty for the default.
    """

    endpoint: str
    backend: BackendName = "local"
    environment: str | None = None
    instance_type: str | None = None
    instances: int = 1
    env: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveSettings:
    """How to test the candidate before it gets traffic.

    Args:
        rows: number of golden rows; the answers must be those of the training.
        payloads: number of payloads, made from the contract.
        tolerance: relative tolerance of the numbers in golden rows.
    """

    rows: int = 20
    payloads: int = 20
    tolerance: float = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """How fast the candidate must be.

    Args:
        slo: as in `epkit bench --slo`.
        fail_if: as in `epkit compare --fail-if`; compares the candidate with the endpoint in use; requires
            *against_live*.
        against_live: whether the endpoint in use gets load too.
        rate: requests a second; the endpoint in use gets no more. None only without *against_live*.
    """

    requests: int = 200
    concurrency: int = 2
    slo: tuple[str, ...] = ()
    fail_if: tuple[str, ...] = ()
    against_live: bool = False
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """The settings of a pipeline.

    Args:
        name: in `epkit.toml`.
        place: `FILE: pipelines.NAME`, for messages.
        table: the contents of the file, with the changes of `--set`.
        data: path or URL of the table; a path is relative to the directory of the file.
        label: the column to predict.
        train: settings, by the keys of `TRAIN_KINDS`.
        custom: other candidates: `FILE.py:make`, `module:function`, or the directory of a model.
        gate: as in `epkit train --gate`; `base` is the champion, the model in use.
        deploy: None: the pipeline ends after the gate.
        prove: None: this step is left out.
        bench: None: this step is left out.
        canary: percents of the traffic that the candidate gets, one after the other; empty: all at once.
        canary_wait_s: how long each percent but the last is watched.
        watch: whether Application Insights is turned on.
        publishable: keys that callers of the published pipeline may set; by default none.
        keep: number of runs that are kept.
    """

    name: str
    place: str
    table: Mapping[str, Any]
    data: str
    label: str
    train: Mapping[str, Any] = field(default_factory=dict)
    custom: tuple[str, ...] = ()
    gate: tuple[str, ...] = ()
    deploy: DeploySettings | None = None
    prove: ProveSettings | None = field(default_factory=ProveSettings)
    bench: BenchSettings | None = None
    canary: tuple[int, ...] = ()
    canary_wait_s: float = 0.0
    watch: bool = True
    publishable: tuple[Publishable, ...] = ()
    keep: int = DEFAULT_KEEP


def read_pipeline(name: str, table: Mapping[str, Any], place: str, refuse: Refuse) -> PipelineConfig:
    """Read the settings of a pipeline.

    Args:
        place: as in `PipelineConfig`.
        refuse: called with a path of keys below the table.

    Raises:
        UsageError: raised by *refuse* for an unknown key, or a value with a wrong type or out of its range.
    """
    return _Checked(table, refuse).pipeline(name, place)


class _Checked:
    """Takes values from a table, and refuses wrong ones."""

    def __init__(self, table: Mapping[str, Any], refuse: Refuse) -> None:
        self.table = table
        self.refuse = refuse

    def pipeline(self, name: str, place: str) -> PipelineConfig:
        self.known(self.table, PIPELINE_KEYS, ())
        for key in ("data", "label"):
            if key not in self.table:
                example = '"bank.csv"' if key == "data" else '"y"'
                self.refuse((), f"{key} is missing: {key} = {example}")
        deploy = self.deploy()
        bench = self.bench()
        canary = self.canary(deploy)
        if deploy is None:
            for key in ("bench", "canary", "canary_wait", "watch"):
                if key in self.table:
                    self.refuse((key,), 'needs a pipeline that deploys: add deploy = { endpoint = "NAME" }, or drop it')
        return PipelineConfig(
            name=name,
            place=place,
            table=self.table,
            data=self.text((), "data", self.table),
            label=self.text((), "label", self.table),
            train=self.part("train", TRAIN_KINDS) or {},
            custom=self.texts((), "custom", self.table),
            gate=self.texts((), "gate", self.table),
            deploy=deploy,
            prove=self.prove(),
            bench=bench,
            canary=canary,
            canary_wait_s=self.canary_wait_s(canary),
            watch=bool(self.value((), "watch", bool, self.table.get("watch", True))),
            publishable=self.publishable(),
            keep=self.whole((), "keep", self.table, DEFAULT_KEEP, 1, MOST_KEPT),
        )

    def deploy(self) -> DeploySettings | None:
        found = self.part("deploy", DEPLOY_KINDS)
        if found is None:
            return None
        if not found.get("endpoint"):
            self.refuse(("deploy",), 'endpoint is missing: deploy = { endpoint = "NAME" }')
        backend = found.get("backend", "local")
        if backend == "azureml-v1":
            why = "an endpoint of azureml-v1 has one deployment, and no room for a candidate: use azureml (SDK v2)"
            self.refuse(("deploy", "backend"), why)
        if backend not in STAGED:
            self.refuse(("deploy", "backend"), f"must be one of {', '.join(STAGED)}{suggestion(backend, STAGED)}")
        if "instances" in found and found["instances"] < 1:
            self.refuse(("deploy", "instances"), "must be 1 or more")
        return DeploySettings(**{**found, "env": tuple(found.get("env", ()))})

    def prove(self) -> ProveSettings | None:
        if self.table.get("prove") is False:
            return None
        found = ProveSettings(**(self.part("prove", PROVE_KINDS) or {}))
        if min(found.rows, found.payloads) < 0 or found.rows + found.payloads > MOST_PROVED:
            self.refuse(("prove",), f"rows and payloads are 0 or more, together at most {MOST_PROVED} requests")
        if not 0 <= found.tolerance < 1:
            self.refuse(("prove", "tolerance"), "must be 0 or more, and below 1")
        return found

    def bench(self) -> BenchSettings | None:
        found = self.part("bench", BENCH_KINDS)
        if found is None:
            return None
        for key in ("requests", "concurrency", "rate"):
            if key in found and found[key] <= 0:
                self.refuse(("bench", key), "must be above 0")
        made = BenchSettings(
            **{**found, "slo": tuple(found.get("slo", ())), "fail_if": tuple(found.get("fail_if", ()))}
        )
        if made.against_live and made.rate is None:
            self.refuse(
                ("bench", "against_live"), "puts load on the endpoint that serves: say how much, with rate = 20"
            )
        if made.fail_if and not made.against_live:
            self.refuse(
                ("bench", "fail_if"), "compares with the endpoint that serves: needs against_live = true and a rate"
            )
        return made

    def canary(self, deploy: DeploySettings | None) -> tuple[int, ...]:
        given = self.value((), "canary", list, self.table.get("canary", []))
        parts = tuple(given)
        for part in parts:
            if isinstance(part, bool) or not isinstance(part, int) or not 1 <= part <= 100:
                self.refuse(("canary",), "must be percents of the traffic, as in [10, 50, 100]")
        if parts and (list(parts) != sorted(set(parts)) or parts[-1] != 100):
            self.refuse(("canary",), "rise, and end with 100, as in [10, 50, 100]")
        if parts and deploy is not None and deploy.backend == "local":
            self.refuse(
                ("canary",), "only at Azure: an endpoint of backend local has one server, and cannot divide traffic"
            )
        return parts

    def publishable(self) -> tuple[Publishable, ...]:
        try:
            return read_publishable(self.texts((), "publishable", self.table))
        except ValueError as error:
            self.refuse(("publishable",), str(error))

    def canary_wait_s(self, parts: tuple[int, ...]) -> float:
        if "canary_wait" not in self.table:
            return 0.0
        text = self.text((), "canary_wait", self.table)
        try:
            found = read_ns(text) / 1e9
        except ValueError:
            found = 0.0
        if not 0.0 < found <= MOST_WAIT_S:
            self.refuse(("canary_wait",), "must be a time of at most 24h, written 90s, 10m or 1h")
        if len(parts) < 2:
            self.refuse(
                ("canary_wait",), "needs canary = [10, 50, 100]: it is the time between these parts of the traffic"
            )
        return found

    def part(self, key: str, kinds: Mapping[str, type]) -> dict[str, Any] | None:
        """Return a table inside the table; None if it does not exist."""
        if key not in self.table:
            return None
        found = self.value((), key, dict, self.table[key])
        self.known(found, tuple(kinds), (key,))
        return {name: self.item((key,), name, kinds[name], value) for name, value in found.items()}

    def item(self, at: tuple[str, ...], name: str, kind: type, value: object) -> Any:
        if kind is list:
            return self.texts(at, name, {name: value})
        return self.value(at, name, kind, value)

    def known(self, table: Mapping[str, Any], keys: Sequence[str], at: tuple[str, ...]) -> None:
        for key in table:
            if key not in keys:
                self.refuse((*at, key), f"unknown key{suggestion(key, keys)}")

    def value(self, at: tuple[str, ...], key: str, kind: type, value: Any) -> Any:
        """Return a value of a given type. A whole number is valid as a fraction; a boolean is valid as neither."""
        fits = isinstance(value, int | float if kind is float else kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            words = {
                str: "a string",
                int: "a whole number",
                float: "a number",
                bool: "true or false",
                list: "an array",
                dict: f"a table: {key} = {{ … }}",
            }
            self.refuse((*at, key), f"must be {words[kind]}")
        if kind is str and not value.strip():
            self.refuse((*at, key), "must not be empty")
        if kind in (int, float) and not -(2**53) < value < 2**53:
            self.refuse((*at, key), "must be between -2^53 and 2^53")
        return float(value) if kind is float else value

    def text(self, at: tuple[str, ...], key: str, table: Mapping[str, Any]) -> str:
        found: str = self.value(at, key, str, table[key])
        if "\0" in found:
            self.refuse((*at, key), "must not contain a null character")
        return found

    def texts(self, at: tuple[str, ...], key: str, table: Mapping[str, Any]) -> tuple[str, ...]:
        given = self.value(at, key, list, table.get(key, []))
        for each in given:
            if not isinstance(each, str) or not each.strip() or "\0" in each:
                self.refuse((*at, key), f'must be an array of strings: {key} = ["…"]')
        return tuple(given)

    def whole(
        self, at: tuple[str, ...], key: str, table: Mapping[str, Any], default: int, least: int, most: int
    ) -> int:
        found: int = self.value(at, key, int, table.get(key, default))
        if not least <= found <= most:
            self.refuse((*at, key), f"must be from {least} to {most:,}")
        return found
