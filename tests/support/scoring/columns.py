"""The columns of the course's model and a sample of them, as AutoML writes it."""

import pandas as pd

TEXT = ["job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week", "poutcome"]
WHOLE = ["age", "duration", "campaign", "pdays", "previous"]
REAL = ["emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"]
ORDER = [
    *("age", "job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week"),
    *("duration", "campaign", "pdays", "previous", "poutcome", "emp.var.rate", "cons.price.idx", "cons.conf.idx"),
    *("euribor3m", "nr.employed"),
]


def bank():
    """Return one row of zeros and placeholders with the columns' types."""
    kinds = {
        **dict.fromkeys(TEXT, "object"),
        **dict.fromkeys(WHOLE, "int64"),
        **dict.fromkeys(REAL, "float64"),
    }
    values = {"object": "example_value", "int64": 0, "float64": 0.0}
    return pd.DataFrame({name: pd.Series([values[kinds[name]]], dtype=kinds[name]) for name in ORDER})


def seen(frame):
    """Write the received values, cell by cell, so that a test can compare them with the sent ones."""
    return [[str(kind) for kind in frame.dtypes], list(frame.columns), frame.to_json(orient="values")]


def label(frame):
    """Predict: a long call is a yes. Every column is read, as a model does."""
    frame[ORDER[0]].sum()
    return ["yes" if duration > 500 else "no" for duration in frame["duration"]]
