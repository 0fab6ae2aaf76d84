"""`epkit drift`: compares a model's card or a table with a new table."""

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO, Final

from epkit.core.drift.apart import TellApart
from epkit.core.drift.drift import drift
from epkit.core.drift.reference import Reference
from epkit.core.drift.report import DriftReport
from epkit.core.http.masking import mask_values
from epkit.core.near import hint
from epkit.errors import UsageError
from epkit.files import model_directory
from epkit.flows.context import Context
from epkit.flows.train.reading import Table, read_table

if TYPE_CHECKING:
    import polars as pl

NO_CLASSIFIER: Final = "the rows were not compared as a whole, which needs lightgbm: pip install 'epkit[train]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftOptions:
    """The options of `epkit drift`.

    Args:
        old: the directory of a model, its card, or a table: a path, a directory of Parquet files, a URL, or `-`.
        new: a table, in the same forms.
        label: the column that is predicted; a model's card names it.
        drop: columns that are not compared.
        encoding, decimal: how the text of the tables is read.
        seed: of random numbers.
    """

    old: str
    new: str
    label: str | None = None
    drop: tuple[str, ...] = ()
    encoding: str | None = None
    decimal: str | None = None
    seed: int = 0


def find_drift(options: DriftOptions, context: Context, stdin: BinaryIO) -> DriftReport:
    """Read both sides and compare them.

    Raises:
        UsageError: one of them cannot be read, or they have no column in common.
    """
    if options.old == options.new == "-":
        raise UsageError("OLD and NEW cannot both be stdin: name a file for one of them")
    if options.seed < 0:
        raise UsageError(f"--seed {options.seed}: a seed is 0 or more")
    old = _reference(options, context, stdin)
    table = _read(options.new, options, context, stdin)
    _check_names("--drop", options.drop, [*old.known, *table.frame.columns], f"neither {old.name} nor {table.name}")
    return mask_values(compare_table(old, table.frame, name=table.name, seed=options.seed), context.secrets)


def compare_table(old: Reference, new: "pl.DataFrame", *, name: str, seed: int = 0) -> DriftReport:
    """Compare a table with a reference. The classifier takes part if it is installed and the old rows are available.

    Raises:
        UsageError: they have no column in common.
    """
    asked = old.frame is not None
    classifier = _classifier() if asked else None
    report = drift(old, new, name=name, seed=seed, tell_apart=classifier)
    if asked and classifier is None:
        report = replace(report, remarks=(*report.remarks, NO_CLASSIFIER))
    return report


def _classifier() -> TellApart | None:
    if find_spec("lightgbm") is None:
        return None
    from epkit.learners.two_samples import scores  # late: needed only if rows are available

    return scores


def _reference(options: DriftOptions, context: Context, stdin: BinaryIO) -> Reference:
    path = context.cwd / options.old
    if model_directory.is_model(path):
        card = model_directory.read_card(path, options.old)
        found = Reference.of_card(card, name=options.old, drop=options.drop)
        if options.label is not None and found.label is not None and options.label != found.label.name:
            raise UsageError(f'--label "{options.label}": the model of {options.old} predicts "{found.label.name}"')
        return found
    table = _read(options.old, options, context, stdin)
    if options.label is not None:
        _check_names("--label", (options.label,), table.frame.columns, table.name)
    return Reference.of(table.frame, name=table.name, label=options.label, drop=options.drop)


def _read(file: str, options: DriftOptions, context: Context, stdin: BinaryIO) -> Table:
    return read_table(file, stdin, context, encoding=options.encoding, decimal=options.decimal)


def _check_names(flag: str, asked: tuple[str, ...], names: "tuple[str, ...] | list[str]", where: str) -> None:
    for column in asked:
        if column not in names:
            raise UsageError(f'{flag} "{column}": {where} has no such column: {hint(column, names)}')
