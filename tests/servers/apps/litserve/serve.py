"""LitServe: a row as the whole body, rows under a key, and a request without a type, as its own examples have it."""

import math
import sys

import litserve
from pydantic import BaseModel


class Row(BaseModel):
    """A row."""

    age: int
    income: float
    city: str


class Rows(BaseModel):
    """Rows under a key."""

    rows: list[Row]


def score(row: Row) -> float:
    """Score a row; what is not finite is 0, as the server has no JSON for it."""
    value = 2.0 * row.age + 0.5 * row.income + 1.0 + 100.0 * (row.city == "Oslo")
    return value if math.isfinite(value) else 0.0


class One(litserve.LitAPI):
    """The row that is the body."""

    def setup(self, device):
        """Load nothing."""

    def decode_request(self, request: Row):
        """Take the row."""
        return request

    def predict(self, x):
        """Score it."""
        return score(x)

    def encode_response(self, output):
        """Answer."""
        return {"prediction": output}


class Several(One):
    """Rows under a key."""

    def decode_request(self, request: Rows):
        """Take the rows."""
        return request.rows

    def predict(self, x):
        """Score them."""
        return [score(row) for row in x]

    def encode_response(self, output):
        """Answer."""
        return {"predictions": output}


class Untyped(Several):
    """Rows under a key that no contract names."""

    def decode_request(self, request):
        """Take the rows."""
        return [Row(**row) for row in request["input"]]

    def encode_response(self, output):
        """Answer."""
        return {"output": output}


if __name__ == "__main__":
    apis = [One(api_path="/row"), Several(api_path="/rows"), Untyped(api_path="/untyped")]
    server = litserve.LitServer(apis, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
