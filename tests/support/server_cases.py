"""The trials with the genuine servers: each path, the bodies that it accepts, and what does not work yet.

`docs/servers.md` is made from this module.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pytest

Row = dict[str, Any]
Trial = Literal["contract", "sample", "validate", "text", "score", "wrap", "bench", "load", "check", "silence"]
"""`score` and `bench` use the contract, `wrap` uses the name of a shape, `load` has a hand-made body. `text` is the
output of `validate` for texts that are almost JSON, `silence` its output for a contract that describes nothing."""

ALONE: Final = ("wrap", "load", "check")
"""The trials with servers that have no contract."""

NAMED: Final = ("age", "income", "city")
NUMBERS: Final = NAMED[:2]


def prediction(row: Row) -> float:
    """Compute the prediction of every model for a row; a row without a city counts as Rome."""
    return 2.0 * row["age"] + 0.5 * row["income"] + 1.0 + 100.0 * (row.get("city") == "Oslo")


def table(columns: Sequence[str], count: int) -> list[Row]:
    """Make rows whose predictions are exact, and differ from each other."""
    rows = [{"age": n, "income": n / 4, "city": ("Oslo", "Rome", "Paris")[n % 3]} for n in range(count)]
    return [{name: row[name] for name in columns} for row in rows]


def records(rows: list[Row]) -> Any:
    return rows


def lists(rows: list[Row]) -> Any:
    return [list(row.values()) for row in rows]


def columns(rows: list[Row]) -> Any:
    return {name: [row[name] for row in rows] for name in rows[0]}


def split(rows: list[Row]) -> Any:
    return {"columns": list(rows[0]), "index": list(range(len(rows))), "data": lists(rows)}


def frame(rows: list[Row]) -> Any:
    kinds = {"index": "integer", "age": "integer", "income": "number", "city": "string"}
    fields = [{"name": name, "type": kinds[name]} for name in ("index", *rows[0])]
    described = {"fields": fields, "primaryKey": ["index"], "pandas_version": "1.4.0"}
    return {"schema": described, "data": [{"index": number, **row} for number, row in enumerate(rows)]}


def one(rows: list[Row]) -> Any:
    return rows[0]


def tensor(rows: list[Row]) -> Any:
    cells = [float(cell) for row in rows for cell in row.values()]
    return [{"name": "x", "datatype": "FP64", "shape": [len(rows), len(rows[0])], "data": cells}]


def tensors(rows: list[Row]) -> Any:
    kinds = {"age": "INT64", "income": "FP64", "city": "BYTES"}
    return [
        {"name": name, "datatype": kinds[name], "shape": [len(rows)], "data": cells}
        for name, cells in columns(rows).items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One path of a server.

    Args:
        server: name of the server in `support.genuine_servers.SERVERS`.
        model: description of the input, for the manual.
        wrap: value of `--wrap`, None if only a contract has enough information.
        under: key of the rows in the body; "" if they are the body.
        form: function that encodes rows.
        contract: path of the contract, None if the server publishes none with any information.
        names: names of the columns.
        is_described: whether the server publishes a wrong description, if *contract* is None.
    """

    server: str
    path: str
    model: str
    wrap: str | None
    under: str
    form: Callable[[list[Row]], Any]
    contract: str | None
    names: tuple[str, ...] = NAMED
    is_described: bool = False

    @property
    def name(self) -> str:
        """The name of the case."""
        return f"{self.server}{self.path}"

    @property
    def key(self) -> str:
        """The unique name of the case: a path may accept more than one shape."""
        return f"{self.name} {self.wrap}" if self.wrap else self.name

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials of the case."""
        tried = TRIALS if self.contract else ALONE if self.is_described else (*ALONE, "silence")
        return tuple(trial for trial in tried if self.wrap or trial != "wrap")

    def body(self, rows: list[Row]) -> Any:
        """Make a correct body by hand."""
        made = self.form(rows)
        return {self.under: made} if self.under else made

    @property
    def rows(self) -> list[Row]:
        """Rows of a hand-made body."""
        return table(self.names, 3)


TRIALS: Final[tuple[Trial, ...]] = ("contract", "sample", "validate", "text", "score", "wrap", "bench", "load", "check")
ORIENTS: Final[dict[str, tuple[str | None, Callable[[list[Row]], Any]]]] = {
    "split": ("data:split", split),
    "values": ("data:lists", lists),
    "records": ("data", records),
    "index": ("data:index", lambda rows: {str(number): row for number, row in enumerate(rows)}),
    "columns": (
        "data:dicts",
        lambda rows: {name: {str(n): cell for n, cell in enumerate(cells)} for name, cells in columns(rows).items()},
    ),
    "table": (None, frame),
    "lists": ("data:columns", columns),
}
"""Azure's scripts: the value of `--wrap`, and the rows of a body."""


def _oip(server: str) -> Iterator[Case]:
    """Yield the same two models for both servers of the Open Inference Protocol."""
    yield Case(
        server=server, path="/v2/models/tensor/infer", model="one tensor of all columns", names=NUMBERS,
        wrap="@oip-tensor", under="inputs", form=tensor, contract="/v2/models/tensor",
    )  # fmt: skip
    yield Case(
        server=server, path="/v2/models/named/infer", model="a tensor a column",
        wrap="@oip", under="inputs", form=tensors, contract="/v2/models/named",
    )  # fmt: skip


CASES: Final = (
    *_oip("mlserver"),
    Case(
        server="mlserver", path="/v2/models/tensor/versions/v1/infer", model="a version of a model", names=NUMBERS,
        wrap="@oip-tensor", under="inputs", form=tensor, contract="/v2/models/tensor/versions/v1",
    ),
    *_oip("kserve"),
    Case(
        server="kserve", path="/v1/models/lists:predict", model="protocol v1, rows as lists", names=NUMBERS,
        wrap="@kserve-v1", under="instances", form=lists, contract=None,
    ),
    Case(
        server="kserve", path="/v1/models/records:predict", model="protocol v1, rows as records",
        wrap="@tf-rows", under="instances", form=records, contract=None,
    ),
    Case(
        server="bentoml", path="/rows", model="`rows: list[Row]`",
        wrap="rows", under="rows", form=records, contract="/docs.json",
    ),
    Case(
        server="bentoml", path="/root", model="`rows: list[Row], /`",
        wrap="@list", under="", form=records, contract="/docs.json",
    ),
    Case(
        server="bentoml", path="/row", model="a parameter a column",
        wrap="@row", under="", form=one, contract="/docs.json",
    ),
    Case(
        server="bentoml", path="/array", model="`x: numpy.ndarray`", names=NUMBERS,
        wrap="x:lists", under="x", form=lists, contract=None, is_described=True,
    ),
    Case(
        server="fastapi", path="/row", model="`row: Row`",
        wrap="@row", under="", form=one, contract="/openapi.json",
    ),
    Case(
        server="fastapi", path="/list", model="`rows: list[Row]`",
        wrap="@list", under="", form=records, contract="/openapi.json",
    ),
    Case(
        server="fastapi", path="/rows", model="a model with `rows: list[Row]`",
        wrap="rows", under="rows", form=records, contract="/openapi.json",
    ),
    Case(
        server="fastapi", path="/predictions/m1", model="`/predictions/{model_name}`, `rows: list[Row]`",
        wrap="@list", under="", form=records, contract="/openapi.json",
    ),
    Case(
        server="litserve", path="/row", model="`decode_request(request: Row)`",
        wrap="@row", under="", form=one, contract="/openapi.json",
    ),
    Case(
        server="litserve", path="/rows", model="`decode_request(request: Rows)`",
        wrap="rows", under="rows", form=records, contract="/openapi.json",
    ),
    Case(
        server="litserve", path="/untyped", model="`decode_request(request)`",
        wrap="input", under="input", form=records, contract=None,
    ),
    *(
        Case(
            server="mlflow", path="/invocations", model=f"`{under}`",
            wrap=wrap, under=under, form=form, contract=None,
        )
        for wrap, under, form in (
            ("@mlflow-split", "dataframe_split", split),
            ("@mlflow-records", "dataframe_records", records),
            ("@tf-rows", "instances", records),
            ("@tf-columns", "inputs", columns),
        )
    ),
    *(
        Case(
            server=f"azure-{orient}", path="/score", model="a list a column" if orient == "lists" else f"orient `{orient}`",
            wrap=wrap, under="data", form=form,
            contract="/swagger.json?version=3" if orient in ("split", "values") else "/swagger.json",
        )
        for orient, (wrap, form) in ORIENTS.items()
    ),
)  # fmt: skip


def cases(trial: Trial | None = None) -> list[Any]:
    """Return the cases of a trial, or all of them, for `parametrize`; those of one server run in one process."""
    return [
        pytest.param(
            case,
            id=case.key,
            marks=pytest.mark.xdist_group(case.server),
        )
        for case in CASES
        if trial is None or trial in case.trials
    ]
