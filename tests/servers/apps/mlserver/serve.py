"""MLServer with scikit-learn's models: one takes a tensor of all columns, one a tensor a column."""

import json
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from mlserver.cli.main import root
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

NUMBER = {"datatype": "FP64", "shape": [-1]}


def linear(*coefficients):
    """Return a model whose coefficients are exact, as those of a fit are not."""
    model = LinearRegression()
    model.coef_, model.intercept_, model.n_features_in_ = np.array(coefficients), 1.0, len(coefficients)
    return model


def save(name, model, inputs, **parameters):
    """Write a model's directory."""
    Path(name).mkdir()
    joblib.dump(model, f"{name}/model.joblib")
    settings = {
        "name": name,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", **parameters},
        "inputs": inputs,
        "outputs": [{"name": "predict", **NUMBER}],
    }
    Path(name, "model-settings.json").write_text(json.dumps(settings))


cities = pd.DataFrame({"age": [1, 2], "income": [0.5, 1.5], "city": ["Oslo", "Rome"]})
encoder = make_column_transformer(
    ("passthrough", ["age", "income"]), (OneHotEncoder(handle_unknown="ignore"), ["city"])
).fit(cities)
save("tensor", linear(2.0, 0.5), [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}], version="v1")
save(
    "named",
    make_pipeline(encoder, linear(2.0, 0.5, 100.0, 0.0)),
    [
        {"name": "age", "datatype": "INT64", "shape": [-1]},
        {"name": "income", **NUMBER},
        {"name": "city", "datatype": "BYTES", "shape": [-1], "parameters": {"content_type": "str"}},
    ],
    content_type="pd",
)
settings = {"host": "127.0.0.1", "http_port": int(sys.argv[1]), "grpc_port": 0, "metrics_endpoint": None}
Path("settings.json").write_text(json.dumps({**settings, "parallel_workers": 0}))

root(["start", "."])
