"""The default verdict equals that of the genuine server, payload by payload."""

import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from random import Random
from typing import Any

import pytest

from epkit.core.contract.contract import parse
from epkit.core.contract.documents import decode
from epkit.core.json.writing import dumps_payload
from epkit.core.validate.examples import sample
from epkit.core.validate.validation import Validator
from epkit.core.validate.violations import Verdict
from support.mutations import mutate
from support.probes import probes
from support.scoring_server import BankServer, ScoringServer, Served, require
from support.shared import shared

SCRIPTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    # script: path of the rows, the corpus' contracts that it serves, the corpus' payloads that it accepts
    "bare": (("data",), ("01", "02", "03"), ("ok-v1-bank", "ok-v1-bank-onerow")),
    "v1": (("data",), ("04", "12", "13"), ("ok-v1-bank", "bad-v1-numbers-as-strings")),
    "bank": (("data",), (), ("ok-v1-bank",)),
    "v2": (("Inputs", "data"), ("06", "07", "14"), ("ok-v2-bank-GlobalParameters", "ok-v2-bank-noGlobalParameters")),
    "bikes": (("Inputs", "data"), ("17",), ()),
    "regression": (("Inputs", "data"), (), ()),
    "forecast": (("Inputs", "data"), ("15",), ()),
    "numpy2d": (("data",), ("10", "20"), ("other-numpy2d",)),
    "standard": (("data",), (), ()),
    "undecorated": ((), ("18",), ("other-numpy2d",)),
    "binary": ((), ("21",), ()),
}
MUTATED, MUTATED_WITHOUT_ROWS = 260, 40
PAYLOADS = (
    *("ok-v1-bank", "ok-v1-bank-onerow", "ok-v2-bank-GlobalParameters", "ok-v2-bank-noGlobalParameters"),
    *("bad-v1-numbers-as-strings", "bad-v2-Inputs-is-list", "other-mlflow-split", "other-numpy2d"),
    *("other-promptflow", "other-tfserving-instances"),
)
WIDTH = 9
"""Width of a column of the corpus table."""
ZONE = re.compile(rb"(T\d\d:\d\d:\d\d[.\d]*)(Z|[+-]\d\d:?\d\d)")

Judge = Callable[[Validator, bytes], Verdict]


class Case:
    """A scoring script in the genuine server, with each of its contracts."""

    def __init__(self, name: str, server: Served) -> None:
        self.name, self.server = name, server
        self.path, numbers, _ = SCRIPTS[name]
        documents = {f"{name}.v{version}": server.contract(version) for version in (2, 3)}
        for number in numbers:
            (file,) = shared("data/swagger").glob(f"{number}-*.json")
            documents[number] = decode(file.read_bytes(), name=file.name)
        self.contracts = {key: parse(document) for key, document in documents.items()}
        self.validators = {key: Validator(contract) for key, contract in self.contracts.items()}
        self.example = self.made()

    def made(self, rows: int = 3, seed: int = 1, key: str = "") -> Any:
        """Make a body that conforms to the contract."""
        contract = self.contracts[key or f"{self.name}.v2"]
        return sample(contract, rows=rows if self.path else None, seed=seed)

    @cached_property
    def bases(self) -> list[Any]:
        """Valid bodies: made from the contract, and the corpus' own."""
        files = [shared(f"data/payloads/{payload}.json") for payload in SCRIPTS[self.name][2]]
        return [*filter(None, [self.example]), *(json.loads(file.read_bytes()) for file in files)]

    def takes(self, data: bytes) -> tuple[bool, int, Any]:
        """Send a body; return whether the server accepts it, its status, and its reply."""
        status, reply = self.server.score(data)
        return status == 200 and not (isinstance(reply, dict) and reply.get("error")), status, reply

    def excused(self, verdict: Verdict, data: bytes) -> bool:
        """Tell whether no contract can predict a refusal: a warning names its cause, without which all is accepted."""
        if any(violation.rule == "undeclared" for violation in verdict.violations):
            return True
        if any(violation.rule == "parameter" for violation in verdict.violations):
            parameters = {key: value for key, value in self.example.items() if key not in self.path[:1]}
            data = dumps_payload(json.loads(data.decode("utf-8-sig")) | parameters)
        if any("time zone" in violation.message for violation in verdict.violations):
            data = ZONE.sub(rb"\1", data)
        return bool(verdict.violations) and self.takes(data)[0]


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[dict[str, dict[str, str]]]:
    """Collect the corpus table, and print it at the end."""
    rows: dict[str, dict[str, str]] = {}
    yield rows
    columns = sorted({column for row in rows.values() for column in row})
    if not columns:
        return
    title = "The corpus: what the server answers (- where that is a refusal), and what epkit says."
    lines = [
        f"{name:44} " + " ".join(f"{row.get(column, ''):{WIDTH}}" for column in columns) for name, row in rows.items()
    ]
    lines = [title, f"{'':44} " + " ".join(f"{column:{WIDTH}}" for column in columns), *lines]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():  # type: ignore[union-attr]
        print("\n" + "\n".join(line.rstrip() for line in lines))


@pytest.fixture(scope="module", params=SCRIPTS)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    require()
    name = request.param
    server: Served = BankServer() if name == "bank" else ScoringServer(name).wait()
    try:
        yield Case(name, server)
    finally:
        server.close()


def arrived(sent: Any, seen: Any, kind: str) -> bool:
    """Tell whether a cell is the same before and after the server's coercion, in the type of the contract."""
    if isinstance(sent, list | dict):
        return False
    if kind == "string":
        return sent == seen or (isinstance(sent, int | float) and not isinstance(sent, bool) and str(sent) == str(seen))
    if sent is None or isinstance(sent, bool) != (kind == "boolean"):
        return kind == "boolean" and type(sent) is int and sent in (0, 1)
    if kind == "boolean":
        return sent is seen
    try:
        return math.isclose(float(sent), float(seen), rel_tol=1e-6) and not isinstance(seen, bool)
    except (TypeError, ValueError):
        return False


def same_moment(sent: Any, seen: Any) -> bool:
    """Tell whether a text without a zone was converted to the right milliseconds."""
    try:
        moment = datetime.fromisoformat(sent)
    except (TypeError, ValueError):
        return False
    return moment.tzinfo is None and moment.replace(tzinfo=UTC).timestamp() * 1000 == seen


def arrived_whole(data: bytes, reply: Any, validator: Validator, path: tuple[str, ...], example: Any) -> bool:
    """Tell whether each declared cell, and only parameters as in the example, arrived unchanged."""
    body = json.loads(data.decode("utf-8-sig"))
    others = {key: value for key, value in example.items() if key not in path[:1]}
    if json.dumps(others) != json.dumps({key: body.get(key, value) for key, value in others.items()}):
        return False
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    rows = validator.rows
    if rows is None or not isinstance(body, list) or "seen" not in reply:
        return False
    _, names, cells = reply["seen"]
    cells = json.loads(cells)
    if rows.shape == "matrix":
        return all(
            type(sent) is int and sent == seen
            for a, b in zip(body, cells, strict=True)
            for sent, seen in zip(a, b, strict=True)
        )
    for row, seen in zip(body, cells, strict=True):
        if not isinstance(row, dict) or set(row) != set(rows.columns):
            return False
        for name, value in zip(names, seen, strict=True):
            column = rows.columns[name]
            if column.kind is None:
                return False
            if column.format == "date-time":
                if not same_moment(row[name], value):
                    return False
                continue
            if not arrived(row[name], value, column.kind):
                return False
    return True


def mutated(case: Case) -> dict[bytes, str]:
    """Make payloads from the valid ones, all different."""
    random = Random(case.name)
    payloads: dict[bytes, str] = {}
    while len(payloads) < (MUTATED if case.path else MUTATED_WITHOUT_ROWS):
        what, data = mutate(random.choice(case.bases), case.path or ("data",), random)
        payloads.setdefault(data, what)
    return payloads


def false_verdicts(case: Case, payloads: dict[bytes, str], judge: Judge) -> tuple[list[Any], list[Any], int, int]:
    """Return the wrongly passed and refused payloads, and the numbers that the server accepts and refuses."""
    passed, refused = [], []
    takes = 0
    for data, what in payloads.items():
        taken, status, reply = case.takes(data)
        takes += taken
        for key, validator in case.validators.items():
            verdict = judge(validator, data)
            if verdict.valid and not taken and not case.excused(verdict, data):
                passed.append((key, what, status, reply))
            if not verdict.valid and taken and arrived_whole(data, reply, validator, case.path, case.example):
                refused.append((key, what, [v.message for v in verdict.violations]))
    return passed, refused, takes, len(payloads) - takes


def test_more_than_two_thousand_payloads_are_tried() -> None:
    assert sum(MUTATED if path else MUTATED_WITHOUT_ROWS for path, _, _ in SCRIPTS.values()) > 2_000


def test_every_contract_of_the_corpus_is_served() -> None:
    files = sorted(file.name[:2] for file in shared("data/swagger").glob("*.json"))

    assert files == sorted(number for _, numbers, _ in SCRIPTS.values() for number in numbers)


def test_each_contract_of_the_corpus_declares_what_its_script_takes(case: Case) -> None:
    first, *others = [
        None if v.rows is None else (v.rows.path, {name: c.kind for name, c in v.rows.columns.items()}, v.rows.width)
        for v in case.validators.values()
    ]

    assert [first] * len(others) == others


def test_no_mutated_payload_that_the_server_refuses_is_passed_nor_one_that_arrives_whole_refused(case: Case) -> None:
    passed, refused, takes, refuses = false_verdicts(case, mutated(case), Validator.check)

    assert ([], []) == (passed, refused)
    assert min(takes, refuses) > 2


def test_a_judge_who_passes_or_refuses_everything_is_found_out(case: Case) -> None:
    payloads = dict(list(mutated(case).items())[:40])
    strict = Validator(case.contracts[f"{case.name}.v2"]).check(b"nothing")
    passed, _, _, refuses = false_verdicts(case, payloads, lambda *_: Verdict())
    _, refused, _, _ = false_verdicts(case, payloads, lambda *_: strict)

    assert refuses * len(case.validators) == len(passed) > 0
    assert refused or "seen" not in case.takes(dumps_payload(case.bases[0]))[2]


def test_the_corpus_is_judged_as_the_server_judges_it(case: Case, table: dict[str, dict[str, str]]) -> None:
    payloads = {name: shared(f"data/payloads/{name}.json").read_bytes() for name in PAYLOADS}
    payloads |= probes(case.bases[0], case.path)
    columns = SCRIPTS[case.name][1] or (f"{case.name}.v2",)
    false = []
    for name, data in payloads.items():
        taken, status, reply = case.takes(data)
        for key, validator in case.validators.items():
            verdict = validator.check(data)
            said = "ERROR" if not verdict.valid else "warn" if verdict.violations else "ok"
            if verdict.valid and not taken:
                shown = [v.message for v in verdict.violations]
                false += [] if case.excused(verdict, data) else [(key, name, status, reply, shown)]
            if key in columns:
                table.setdefault(name, {})[key.removesuffix(".v2")[:WIDTH]] = f"{status}{' ' if taken else '-'}{said}"

    assert [] == false
    assert case.takes(payloads["as it should be"])[0]


def test_a_body_made_from_the_contract_is_accepted_and_without_a_remark(case: Case) -> None:
    if case.name == "undecorated":
        pytest.skip("a contract that says nothing gives nothing to make a body of")
    found = []
    for key, validator in case.validators.items():
        for seed in range(5):
            body = dumps_payload(case.made(7, seed, key))
            found.append((case.takes(body)[0], validator.check(body).violations))

    assert [(True, ())] * len(found) == found
