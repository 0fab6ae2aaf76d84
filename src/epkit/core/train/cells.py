"""Table columns in the form in which a request sends them, whatever the file. Each distinct value is handled once."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from epkit.core.shortening import cut
from epkit.core.validate.frames import plain
from epkit.errors import UsageError
from epkit.served.encoding import MISSING_NUMBERS, BadValueError, Encoder

if TYPE_CHECKING:
    import polars as pl

NUMBER: Final = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?$"
"""Matches a text that is a number in JSON's notation: `007` and `+5` stay texts."""

DATE: Final = r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"
"""Matches a text that may be a date."""

_INFINITE: Final = r"^\s*[+-]?(?i:inf|infinity)\s*$"

HASH_RULE: Final = "epkit.rows/1"
"""How `row_hashes` computes the hashes."""


def canonical(series: "pl.Series", name: str, advice: str | None = None) -> "pl.Series":
    """Return a column as numbers, booleans or texts, as a request would send it. Categories and dates become texts.

    Args:
        name: name of the table in messages.
        advice: what to do with a column that no model can take; None: drop it.

    Raises:
        UsageError: the column has a type that no model can take.
    """
    import polars as pl  # late: it costs 0.2 s

    dtype = series.dtype
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary, pl.Duration):
        advice = advice or f'--drop "{series.name}"'
        raise UsageError(f'{name}: column "{series.name}": its type is {dtype}, which no model takes: {advice}')
    found = plain(series)
    return found.set(found == "", None) if found.dtype == pl.String else found


def missing(series: "pl.Series") -> np.ndarray:
    """Return which values of a canonical column are missing: null, NaN, or an empty text."""
    gone = series.is_null()
    if series.dtype.is_float():
        gone |= series.is_nan().fill_null(value=False)
    return gone.to_numpy()


def words_among_numbers(texts: "pl.Series") -> list[str] | None:
    """Return the words that mean a missing number, if all other distinct texts are numbers; otherwise None.

    One such word, or one very large number, makes a reader take a column of numbers for texts.
    """
    words = texts.filter(texts.str.strip_chars().str.to_lowercase().is_in(list(MISSING_NUMBERS)))
    others = texts.filter(~texts.is_in(words.to_list()))
    return words.sort().to_list() if len(others) and others.str.contains(NUMBER).all() else None


"""Quote at most three texts, for a message."""


def listed(texts: Sequence[str]) -> str:
    """Quote texts, at most three of them, for a message."""
    shown = [f'"{cut(text, 20)}"' for text in texts[:3]]
    return " and ".join(shown) if len(texts) <= 3 else ", ".join(shown) + " and others"


def infinite(series: "pl.Series") -> int | None:
    """Return the place of the first infinite number of a canonical column, None if there is none.

    One `inf` can make a reader take a column of numbers for texts. So texts are searched too, if all the others are
    numbers.
    """
    import polars as pl

    if series.dtype.is_float():
        found = series.is_infinite().fill_null(value=False)
        return found.arg_max() if found.any() else None
    if series.dtype != pl.String:
        return None
    texts = series.drop_nulls().unique()
    words = texts.filter(texts.str.contains(_INFINITE))
    others = texts.filter(~texts.is_in(words.to_list()))
    known = others.str.strip_chars().str.to_lowercase().is_in(list(MISSING_NUMBERS))
    if not len(words) or known.all() or not (known | others.str.contains(NUMBER)).all():
        return None
    return series.is_in(words.to_list()).fill_null(value=False).arg_max()


def by_distinct(series: "pl.Series", function: Callable[[list[Any]], np.ndarray], nothing: Any) -> np.ndarray:
    """Apply a function to the distinct values of a column, and return each row's result.

    Args:
        function: takes n distinct values, returns an array of n rows.
        nothing: the result for null.
    """
    import polars as pl

    values = series.drop_nulls().unique(maintain_order=True)
    outcome = function(values.to_list())
    table = np.concatenate((outcome, np.full((1, *outcome.shape[1:]), nothing, outcome.dtype)))
    if not len(values):
        return np.asarray(table[np.full(len(series), -1)])
    places = pl.Series(np.arange(len(values), dtype=np.uint32))
    at = series.replace_strict(values, places, default=None, return_dtype=pl.UInt32).fill_null(len(values))
    return np.asarray(table[at.to_numpy()])


def encode_series(column: Mapping[str, Any], series: "pl.Series", name: str, *, strict: bool = False) -> np.ndarray:
    """Return float64, rows × columns of the matrix, encoded as in `epkit.served.encoding`.

    Args:
        column: its entry in the card.
        series: in canonical form.
        name: name of the table in messages.
        strict: refuse a missing value if the training data had none in this column, as the deployed model does.

    Raises:
        UsageError: a value that the column cannot have; the message gives its row, counted from 1.
    """
    encoder = Encoder(column, strict=strict)
    if strict and not encoder.may_lack and (gone := missing(series)).any():
        raise UsageError(
            f'{name}: row {int(gone.argmax()) + 1}, column "{encoder.name}": missing, and the model was trained on '
            "rows that all have a value"
        )
    try:
        if column["kind"] == "number" and series.dtype.is_numeric():
            return encoder(to_floats(series))
        distinct = by_distinct(series, encoder, np.nan)
    except BadValueError as error:
        row = error.place
        if not series.dtype.is_numeric():
            # This is the place among the distinct values.
            wrong = series.drop_nulls().unique(maintain_order=True)[error.place]
            row = int((series == wrong).fill_null(value=False).arg_max() or 0)
        raise UsageError(f'{name}: row {row + 1}, column "{encoder.name}": {error.problem}') from None
    return distinct


def days_of(texts: list[str]) -> np.ndarray:
    """Return float64: dates as days since 1970, NaN for a text that is no date."""
    return Encoder({"name": "", "kind": "date", "parts": ["days"]})(texts)[:, 0]


def to_floats(series: "pl.Series") -> np.ndarray:
    """Return float64, NaN for null."""
    import polars as pl

    return series.cast(pl.Float64).to_numpy()


def row_hashes(frame: "pl.DataFrame", names: Sequence[str], name: str) -> np.ndarray:
    """Return uint64 for each row: a hash of its values in these columns.

    A hash depends only on the names of the columns and on the values: not on the order of the columns, not on other
    rows, and not on the format of the file. A number and its text have the same hash. So have two notations of a
    date.

    Args:
        names: the columns to hash.
        name: name of the table in messages.

    Raises:
        UsageError: a column has a type that no model can take.
    """
    total = np.zeros(frame.height, np.uint64)
    for column in names:
        series = canonical(frame.get_column(column), name)
        key = _digest(column, b"column")
        if series.dtype.is_numeric():
            own = _number_hashes(to_floats(series))
        else:
            own = by_distinct(series, _text_hashes, _MISSING)
        total += _mixed(own ^ key)
    return _mixed(total)


_MISSING: Final = np.uint64(0x9E3779B97F4A7C15)


def _digest(text: str, person: bytes) -> np.uint64:
    data = text.encode("utf-8", "surrogatepass")
    return np.uint64(int.from_bytes(hashlib.blake2b(data, digest_size=8, person=person).digest(), "little"))


def _number_hashes(values: np.ndarray) -> np.ndarray:
    # Adding 0 turns -0 into 0.
    return np.where(np.isnan(values), _MISSING, _mixed((values + 0.0).view(np.uint64)))


def _text_hashes(values: list[Any]) -> np.ndarray:
    import polars as pl

    texts = pl.Series([str(value).lower() if isinstance(value, bool) else value for value in values], dtype=pl.String)
    numbers = texts.set(~texts.str.contains(NUMBER), None).cast(pl.Float64, strict=False)
    found = np.array([_digest(text, b"text") for text in texts.to_list()], np.uint64)
    numeric = numbers.is_not_null().to_numpy()
    found[numeric] = _number_hashes(numbers.drop_nulls().to_numpy())
    maybe = texts.str.contains(DATE).to_numpy()
    days = days_of(texts.filter(maybe).to_list())
    found[maybe] = np.where(np.isnan(days), found[maybe], _number_hashes(days))
    found[texts.str.to_lowercase().is_in(list(MISSING_NUMBERS)).to_numpy()] = _MISSING
    return found


def _mixed(values: np.ndarray) -> np.ndarray:
    """Mix the bits, as the last step of splitmix64 does.

    Source: Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators.
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))
