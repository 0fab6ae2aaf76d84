"""Rows under a key, rows as the whole body, one row as the whole body, an array."""

import bentoml
import numpy as np
from pydantic import BaseModel


class Row(BaseModel):
    """A row."""

    age: int
    income: float
    city: str


def score(row: Row) -> float:
    """Score a row."""
    return 2.0 * row.age + 0.5 * row.income + 1.0 + 100.0 * (row.city == "Oslo")


@bentoml.service
class Scorer:
    """The endpoints."""

    @bentoml.api
    def rows(self, rows: list[Row]) -> list[float]:
        """Score rows under a key."""
        return [score(row) for row in rows]

    @bentoml.api
    def root(self, rows: list[Row], /) -> list[float]:
        """Score rows that are the body."""
        return [score(row) for row in rows]

    @bentoml.api
    def row(self, age: int, income: float, city: str) -> float:
        """Score the row that is the body."""
        return score(Row(age=age, income=income, city=city))

    @bentoml.api
    def array(self, x: np.ndarray) -> np.ndarray:
        """Score the rows of an array."""
        return 2.0 * x[:, 0] + 0.5 * x[:, 1] + 1.0
