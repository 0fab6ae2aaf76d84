"""FastAPI on uvicorn: a row as the whole body, a list, rows under a key, and a path with a template."""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Row(BaseModel):
    """A row."""

    age: int
    income: float
    city: str = "Rome"


class Rows(BaseModel):
    """Rows under a key."""

    rows: list[Row]


class Answer(BaseModel):
    """A row's prediction."""

    prediction: float


def score(row: Row) -> float:
    """Score a row."""
    return 2.0 * row.age + 0.5 * row.income + 1.0 + 100.0 * (row.city == "Oslo")


@app.post("/row")
def one(row: Row) -> Answer:
    """Score the row that is the body."""
    return Answer(prediction=score(row))


@app.post("/list")
def several(rows: list[Row]) -> list[float]:
    """Score the rows that are the body."""
    return [score(row) for row in rows]


@app.post("/rows")
def under_a_key(body: Rows) -> dict[str, list[float]]:
    """Score rows under a key."""
    return {"predictions": [score(row) for row in body.rows]}


@app.post("/predictions/{model_name}")
def of_a_model(model_name: str, rows: list[Row]) -> dict[str, list[float]]:
    """Score the rows that are the body by a model that the path names."""
    return {"scores": [score(row) for row in rows]}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
