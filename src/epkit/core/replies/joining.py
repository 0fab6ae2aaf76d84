"""Assigns predictions to rows by the index of the reply, never by their position.

A forecaster sorts its answers by series and time. An index says which row each value belongs to: it has the columns
that identify the row, with dates as texts or as milliseconds.

Source: AutoML's scoring scripts for forecasting, which return `forecast` and `index` as `DataFrame.to_json` and
`json.loads` make them.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, NamedTuple

from epkit.core.json.writing import dumps
from epkit.core.replies.finding import FoundPredictions
from epkit.core.shortening import cut

MOST_SHOWN: Final = 200
"""Greatest length of a row's identification in a message, in characters."""

Row = Mapping[str, Any]


class Joined(NamedTuple):
    """Predictions in the order of the rows.

    Args:
        values: one for each row, None if a row has none.
        faults: for a row without a prediction, the reason, by its place.
    """

    values: list[Any]
    faults: Mapping[int, str]


class JoinError(ValueError):
    """No prediction of a reply can be assigned to a row; the message says what is wrong with the index."""


def join(found: FoundPredictions, count: int, rows: Callable[[], Sequence[Row]]) -> Joined:
    """Assign predictions with an index to their rows.

    Args:
        count: number of rows that were sent.
        rows: returns the rows with the names of their columns; the rows are empty if they have no names. It is called
            only if the index has cells of columns instead of row numbers.

    Raises:
        JoinError: the index does not fit the predictions, or has no column of the rows.
    """
    values, index = found.values, found.row_keys
    assert index is not None
    if len(index) != len(values):
        raise JoinError(f"{len(values)} predictions and an index of {len(index)} in the reply")
    if isinstance(index[0], int):
        if len(index) != count:
            raise JoinError(f"{len(values)} predictions for {count} rows")
        ordered: list[Any] = [None] * count
        for place, value in zip(index, values, strict=True):
            ordered[place] = value
        return Joined(ordered, {})
    sent = rows()
    shared = [key for key in index[0] if all(key in row for row in sent)] if sent else []
    if not shared:
        columns = ", ".join(map(str, index[0]))
        raise JoinError(f"the reply names its rows by {cut(columns, MOST_SHOWN)}, which the rows sent do not have")
    try:
        return _by_columns(values, index, sent, shared)
    except RecursionError:
        raise JoinError("the reply is nested too deeply to be compared with the rows") from None


def in_order(values: list[Any], rows: Callable[[], Sequence[Row]], first: Row) -> list[Any]:
    """Reorder predictions that repeat cells of their rows, if their order differs from that of the rows.

    This is done only if every prediction belongs to exactly one row. Only columns with the same cells on both sides are
    compared, because a column of the same name may be the predicted one.

    Args:
        values: as many as rows; the first one is an object.
        rows: returns the rows with the names of their columns.
        first: the first row.
    """
    shared = [key for key in values[0] if key in first]
    if not shared or not all(isinstance(value, dict) and all(key in value for key in shared) for value in values):
        return values
    sent = rows()
    if len(sent) != len(values) or not all(all(key in row for key in shared) for row in sent):
        return values
    try:
        columns = [_alike([row[key] for row in sent], [value[key] for value in values]) for key in shared]
    except RecursionError:
        return values
    columns = [(mine, theirs) for mine, theirs in columns if Counter(mine) == Counter(theirs)]
    of_rows = list(zip(*(mine for mine, _ in columns), strict=True))
    of_values = list(zip(*(theirs for _, theirs in columns), strict=True))
    if of_rows == of_values or len(set(of_rows)) < len(of_rows) or set(of_rows) != set(of_values):
        return values
    found = dict(zip(of_values, values, strict=True))
    return [found[key] for key in of_rows]


def _by_columns(values: list[Any], index: list[Any], rows: Sequence[Row], shared: list[str]) -> Joined:
    of_rows, of_values = _keys(rows, index, shared)
    found: dict[Hashable, list[Any]] = {}
    for key, value in zip(of_values, values, strict=True):
        found.setdefault(key, []).append(value)
    first: dict[Hashable, int] = {}
    double = {key for place, key in enumerate(of_rows) if first.setdefault(key, place) != place}
    ordered: list[Any] = []
    faults: dict[int, str] = {}
    for place, (key, row) in enumerate(zip(of_rows, rows, strict=True)):
        known = found.get(key, [])
        if known and all(value == known[0] for value in known):
            ordered.append(known[0])
            continue
        ordered.append(None)
        shown = cut(", ".join(f"{name} {_shown(row[name])}" for name in shared), MOST_SHOWN)
        if not known:
            faults[place] = f"the reply has no prediction for this row ({shown})"
        elif key in double:
            faults[place] = (
                f"rows with {shown} cannot be distinguished in the reply, which has several predictions for it"
            )
        else:
            faults[place] = f"the reply has several predictions for this row ({shown})"
    return Joined(ordered, faults)


def _keys(rows: Sequence[Row], others: Sequence[Row], shared: Sequence[str]) -> tuple[list[Hashable], list[Hashable]]:
    """Return comparable keys: one for each row, one for each of the others."""
    columns = [_alike([row[key] for row in rows], [other.get(key) for other in others]) for key in shared]
    of_rows = zip(*(mine for mine, _ in columns), strict=True)
    of_others = zip(*(theirs for _, theirs in columns), strict=True)
    return list(of_rows), list(of_others)


def _alike(mine: list[Any], theirs: list[Any]) -> tuple[list[Hashable], list[Hashable]]:
    """Convert the cells of a column to the form in which most of *theirs* occur among *mine*."""
    best: tuple[list[Hashable], list[Hashable]] = [], []
    most = -1
    for way in (_plain, _number, _instant_ms):
        pair = list(map(way, mine)), list(map(way, theirs))
        known = set(pair[0])
        count = sum(cell in known for cell in pair[1])
        if count > most:
            best, most = pair, count
        if most == len(theirs):
            break
    return best


def _plain(cell: Any) -> Hashable:
    return dumps(cell) if isinstance(cell, list | dict) else cell


def _number(cell: Any) -> Hashable:
    if isinstance(cell, str):
        try:
            number = float(cell)
        except ValueError:
            return cell
        return number if isfinite(number) else cell
    return _plain(cell)


def _instant_ms(cell: Any) -> Hashable:
    """Return a date as milliseconds since 1970, in UTC if it has no zone. A number is already such a time."""
    if not isinstance(cell, str):
        return _plain(cell)
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        return cell
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return round(moment.timestamp() * 1000)
    except (OverflowError, ValueError):
        return cell


def _shown(cell: Any) -> str:
    return cell if isinstance(cell, str) else dumps(cell).decode("utf-8", "replace")
