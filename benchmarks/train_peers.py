"""The AutoML libraries that `train.py` compares with epkit: their packages, and the code that runs."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent

_DATA: Final = """
import json, os, sys
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
table, budget, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
frame = pd.read_csv(table)
y = (frame["y"] == "yes").astype(int).to_numpy()
train, test = next(StratifiedKFold(5, shuffle=True, random_state=1000).split(frame, y))
"""
_OWN: Final = """
import json, os, subprocess, sys
import polars as pl
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from epkit.served.model import Model
table, budget, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
frame = pl.read_csv(table)
y = (frame["y"] == "yes").to_numpy()
train, test = next(StratifiedKFold(5, shuffle=True, random_state=1000).split(frame, y))
frame[train].write_csv("fold.csv")
command = ["train", "fold.csv", "--label", "y", "-o", out, "--test-size", "0", "--workers", "1", "-q"]
subprocess.run([sys.executable, "-m", "epkit", *command, "--time-limit", f"{budget}s"], check=True, stdout=2)
model, asked = Model.load(out), frame[test]
chances = model.probabilities(model.encode({name: asked[name].to_list() for name in asked.columns}))[:, 1]
"""
_SAID: Final = """
size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(out) for name in names)
figures = {"AUC": roc_auc_score(y[test], chances), "accuracy": float(((chances > 0.5) == y[test]).mean())}
print(json.dumps(figures | {"bytes": size}))
"""
_FLAML: Final = """
import pickle
from flaml import AutoML
x = frame.drop(columns="y")
for name in x.select_dtypes("object"):
    x[name] = x[name].astype("category")
model = AutoML()
model.fit(x.iloc[train], y[train], task="classification", metric="roc_auc", time_budget=budget, n_jobs=1,
          verbose=0, seed=0)
chances = model.predict_proba(x.iloc[test])[:, 1]
os.makedirs(out)
with open(os.path.join(out, "model.pkl"), "wb") as file:
    pickle.dump(model.model, file)
"""
_AUTOGLUON: Final = """
from autogluon.tabular import TabularPredictor
frame["y"] = y
model = TabularPredictor("y", eval_metric="roc_auc", path=out, verbosity=0)
model.fit(frame.iloc[train], time_limit=budget, num_cpus=1)
chances = model.predict_proba(frame.iloc[test].drop(columns="y"))[1].to_numpy()
"""

PEERS: Final = {
    "epkit": ((f"{ROOT}[train]",), _OWN + _SAID),
    "FLAML": (("flaml[automl]>=2.7,<2.8", "pandas<3"), _DATA + _FLAML + _SAID),
    "AutoGluon": (("autogluon.tabular[lightgbm,xgboost,catboost]>=1.5,<1.7",), _DATA + _AUTOGLUON + _SAID),
}
"""The packages for pip, and the program. Its input is a table, seconds and a directory for the model, its output a line
of JSON.

epkit begins no run after these seconds; its CPU includes its later work (explanations, refits).
"""

_TABLES: Final = """
import json, os, sys
import numpy as np
train, test, out, task, metric = sys.argv[1:6]
budget, seed = int(sys.argv[6]), int(sys.argv[7])
"""
_TABLES_PANDAS: Final = """
import pandas as pd
rows, asked = pd.read_csv(train), pd.read_csv(test)
y = asked.pop("label").to_numpy()
"""
_TABLES_SAID: Final = """
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score
if task == "regression":
    figures = {"r2": r2_score(y, answers)}
else:
    figures = {"accuracy": accuracy_score(y, answers)}
    figures |= {"AUC": roc_auc_score(y, chances[:, 1])} if task == "binary" else {
        "log_loss": log_loss(y, chances, labels=classes)}
size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(out) for name in names)
print(json.dumps({"figures": {name: float(value) for name, value in figures.items()}, "bytes": size}))
"""
_TABLES_OWN: Final = """
import epkit
import polars as pl
few = {"holdout": 0.1} if os.path.getsize(train) > 50e6 else {}
training = epkit.train(train, "label", out=out, metric=metric, time_limit=f"{budget}s", seed=seed, workers=1,
                       test_size=0, **few)
asked = pl.read_csv(test)
y = asked["label"].to_numpy()
answers, classes = training.model.predict(asked).to_numpy(), training.model.classes
chances = training.model.predict_proba(asked).to_numpy() if classes else None
"""
_TABLES_FLAML: Final = """
import pickle
from flaml import AutoML
model = AutoML()
kind = "regression" if task == "regression" else "classification"
named = {"AUC": "roc_auc", "log_loss": "log_loss", "r2": "r2"}[metric]
model.fit(dataframe=rows, label="label", task=kind, metric=named, time_budget=budget, n_jobs=1, verbose=0, seed=seed)
answers = model.predict(asked)
chances, classes = (None, None) if kind == "regression" else (model.predict_proba(asked), model.classes_)
os.makedirs(out)
with open(os.path.join(out, "model.pkl"), "wb") as file:
    pickle.dump(model.model, file)
"""
_TABLES_AUTOGLUON: Final = """
from autogluon.tabular import TabularPredictor
named = {"AUC": "roc_auc", "log_loss": "log_loss", "r2": "r2"}[metric]
model = TabularPredictor("label", problem_type=task, eval_metric=named, path=out, verbosity=0)
model.fit(rows, time_limit=budget, num_cpus=1)
answers = model.predict(asked).to_numpy()
chances, classes = None, None
if task != "regression":
    found = model.predict_proba(asked)
    chances, classes = found.to_numpy(), list(found.columns)
"""

ON_TABLES: Final = {
    "epkit": ("epkit", _TABLES + _TABLES_OWN + _TABLES_SAID),
    "FLAML": ("flaml", _TABLES + _TABLES_PANDAS + _TABLES_FLAML + _TABLES_SAID),
    "AutoGluon": ("autogluon.tabular", _TABLES + _TABLES_PANDAS + _TABLES_AUTOGLUON + _TABLES_SAID),
}
"""The required module, and the program. Its input is two CSV files (training rows, test rows), a directory for the
model, the task, the metric that chooses the model, seconds and a seed. Its output is a line of JSON."""
