"""MLflow's own scoring server, with a model that tells rows apart and refuses one."""

import os
import sys

import mlflow
import uvicorn
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema


class Scorer(mlflow.pyfunc.PythonModel):
    """The model."""

    def predict(self, context, model_input, params=None):
        """Score rows."""
        if "bad" in set(model_input["city"]):
            raise ValueError("there is a bad row")
        oslo = model_input["city"] == "Oslo"
        return (2.0 * model_input["age"] + 0.5 * model_input["income"] + 1.0 + 100.0 * oslo).tolist()


columns = [ColSpec("long", "age"), ColSpec("double", "income"), ColSpec("string", "city")]
signature = ModelSignature(Schema(columns), Schema([ColSpec("double")]))
mlflow.pyfunc.save_model("model", python_model=Scorer(), signature=signature, pip_requirements=[])
os.environ["__pyfunc_model_path__"] = "model"  # noqa: SIM112  (so it is called)
uvicorn.run("mlflow.pyfunc.scoring_server.app:app", host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")
