"""The flags of a table: how its text is read, and which of its columns are sent to the model."""

from typing import TYPE_CHECKING, Annotated

from epkit.cli.options import common as o

if TYPE_CHECKING:
    from epkit.files.dialects import TableOptions

TABLE = "Table"

Carry = Annotated[
    list[str] | None,
    o.option(
        TABLE,
        "--carry",
        metavar="COLUMNS",
        help="Do not send these columns, such as id,Churn; the output keeps them. Repeatable.",
    ),
]
Drop = Annotated[
    list[str] | None,
    o.option(TABLE, "--drop", metavar="COLUMNS", help="Leave these columns out altogether. Repeatable."),
]
Encoding = Annotated[
    str | None,
    o.option(
        TABLE,
        "--encoding",
        metavar="NAME",
        help="Text encoding of a table, such as cp1252. [default: UTF-8; UTF-16 is noticed]",
    ),
]
Decimal = Annotated[
    str | None,
    o.option(
        TABLE,
        "--decimal",
        metavar=".|,",
        help="Decimal separator. [default: a point; a number with a comma is refused]",
    ),
]
NoHeader = Annotated[
    bool,
    o.option(
        TABLE, "--no-header", help="The first line is already a row. The columns are the contract's, in its order."
    ),
]


def table_options(
    carry: list[str] | None, drop: list[str] | None, encoding: str | None, decimal: str | None, no_header: bool
) -> "TableOptions":
    """Combine the flags into one value.

    Raises:
        UsageError: they contradict each other.
    """
    from epkit.files.dialects import TableOptions, names_in

    return TableOptions(
        carry=names_in(carry or ()),
        drop=names_in(drop or ()),
        encoding=encoding,
        decimal=decimal,
        header=not no_header,
    )
