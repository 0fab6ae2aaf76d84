"""Damaged or made-up contracts: they are used, or refused in one line."""

import json
from itertools import cycle
from pathlib import Path

from hypothesis import strategies as st

from epkit.core.contract.contract import parse
from epkit.core.contract.documents import decode
from epkit.core.json.writing import dumps_payload
from epkit.core.validate.checked import in_words
from epkit.core.validate.examples import sample
from epkit.core.validate.validation import Validator
from support.cli_harness import TWO_ROWS, Cli
from support.fuzzing import changed, damaged, fuzz, text_of
from support.made_contracts import every_kind

FILES = sorted((Path(__file__).parents[2] / "swagger").glob("*.json"))
MADE = every_kind()
STRANGE_SCHEMAS = (
    {"$ref": "#"}, {"$ref": "#/definitions/none"}, {"$ref": "http://127.0.0.1:1/x"}, {"allOf": [{"$ref": "#"}]},
    {"type": "array", "items": {}, "minItems": 10**9}, {"type": "string", "minLength": 10**9}, {"enum": []},
    {"type": "string", "pattern": "(a+)+$"}, {"type": "integer", "minimum": 10**30, "maximum": -1}, {"not": {}},
    {"type": "number", "multipleOf": 1e-300}, {"type": ["string", 3]}, {"format": "date-time", "example": "x"},
    {"type": "object", "required": ["a", "a"], "properties": {"a": {"$ref": "#/paths"}}}, True, False,
)  # fmt: skip

COMMANDS = cycle(
    [
        ("validate", "rows.json", "--schema", "contract.json", "--format", "json"),
        ("sample", "--schema", "contract.json"),
        ("validate", "rows.json", "--schema", "contract.json"),
        ("sample", "--schema", "contract.json", "--rows", 3),
    ]
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Draw a contract in which some parts are replaced, or which is not text any more."""
    base = draw(st.sampled_from([*(file.read_bytes() for file in FILES), *map(text_of, MADE.values())]))
    if draw(st.integers(0, 4)) == 0:
        return draw(damaged(base))
    made = draw(changed(json.loads(base)))
    if draw(st.booleans()) and isinstance(made, dict):
        made = draw(changed(made, STRANGE_SCHEMAS))
    return text_of(made)


def test_a_contract_is_used_or_refused_in_one_line(tmp_path):
    cli = Cli(directory=tmp_path)
    cli.write("rows.json", TWO_ROWS)

    def check(data: bytes) -> None:
        (tmp_path / "contract.json").write_bytes(data)
        command = next(COMMANDS)
        ran = cli(*command)

        assert ran.code in (0, 2, 3), (command, ran.err)
        assert "Traceback" not in ran.err, ran.err
        assert all(line.startswith("epkit: ") for line in ran.lines), ran.err
        assert "\x1b" not in ran.out + ran.err

    fuzz("contracts", documents(), check)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw the kind of a contract, and a body that was made from it and then changed or damaged."""
    kind = draw(st.sampled_from(sorted(BODIES)))
    base = BODIES[kind]
    if draw(st.integers(0, 4)) == 0:
        return kind, draw(damaged(dumps_payload(base)))
    return kind, text_of(draw(changed(base)))


VALIDATORS = {kind: Validator(parse(decode(text_of(document), name=kind))) for kind, document in MADE.items()}
BODIES = {kind: sample(validator.contract, rows=None, seed=1) for kind, validator in VALIDATORS.items()}


def test_a_body_of_any_form_is_judged_with_a_place_in_it() -> None:
    def check(drawn: tuple[str, bytes]) -> None:
        kind, data = drawn
        for validator in (VALIDATORS[kind], Validator(VALIDATORS[kind].contract, as_declared=True)):
            for violation in validator.check(data).violations:
                assert (violation.line is None) == (violation.column is None)
                assert in_words(violation).isprintable()

    fuzz("bodies of contracts", bodies(), check)
