"""AutoML libraries that `training.py` measures epkit against: what is installed, and what is run."""

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
"""What pip installs, and the program: a table, seconds and a directory for the model in, a line of JSON out.

epkit begins no run after these seconds; what it does then (explaining, refits) is in its CPU too.
"""
