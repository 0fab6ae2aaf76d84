"""KServe's model server: two models of protocol v1, two of the Open Inference Protocol (v2)."""

import asyncio
import sys

import numpy as np
from kserve import InferOutput, InferResponse, Model, ModelServer
from kserve.protocol.rest.server import RESTServer

NUMBER = {"datatype": "FP64", "shape": [-1]}


class Served(Model):
    """What all of them share: ready at once."""

    def load(self):
        """Load nothing."""
        self.ready = True
        return True

    def tensor(self, request, values):
        """Answer with one tensor."""
        output = InferOutput(name="y", shape=list(values.shape), datatype="FP64")
        output.set_data_from_numpy(values, binary_data=False)
        return InferResponse(response_id=request.id or "", model_name=self.name, infer_outputs=[output])


class Lists(Served):
    """v1, a row a list."""

    def predict(self, payload, headers=None):
        """Score rows."""
        rows = np.asarray(payload["instances"], dtype=float)
        return {"predictions": (2.0 * rows[:, 0] + 0.5 * rows[:, 1] + 1.0).tolist()}


class Records(Served):
    """v1, a row a record."""

    def predict(self, payload, headers=None):
        """Score rows."""
        return {
            "predictions": [
                2.0 * row["age"] + 0.5 * row["income"] + 1.0 + 100.0 * (row["city"] == "Oslo")
                for row in payload["instances"]
            ]
        }


class Tensor(Served):
    """v2, one tensor of all columns."""

    def get_input_types(self):
        """Declare it."""
        return [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}]

    def get_output_types(self):
        """Declare the predictions."""
        return [{"name": "y", **NUMBER}]

    def predict(self, payload, headers=None):
        """Score rows."""
        rows = payload.inputs[0].as_numpy()
        return self.tensor(payload, 2.0 * rows[:, 0] + 0.5 * rows[:, 1] + 1.0)


class Named(Served):
    """v2, a tensor a column."""

    def get_input_types(self):
        """Declare them."""
        return [
            {"name": "age", "datatype": "INT64", "shape": [-1]},
            {"name": "income", **NUMBER},
            {"name": "city", "datatype": "BYTES", "shape": [-1]},
        ]

    def get_output_types(self):
        """Declare the predictions."""
        return [{"name": "y", **NUMBER}]

    def predict(self, payload, headers=None):
        """Score rows."""
        columns = {tensor.name: tensor.as_numpy() for tensor in payload.inputs}
        oslo = np.array([city in ("Oslo", b"Oslo") for city in columns["city"]])
        return self.tensor(payload, 2.0 * columns["age"] + 0.5 * columns["income"] + 1.0 + 100.0 * oslo)


server = ModelServer(http_port=int(sys.argv[1]), enable_grpc=False)
for model in (Lists("lists"), Records("records"), Tensor("tensor"), Named("named")):
    model.load()
    server.register_model(model)
# As `ModelServer.start` does, but on loopback: it listens on every address, whatever its options say.
rest = RESTServer("kserve.model_server:app", server.dataplane, server.model_repository_extension, int(sys.argv[1]))
rest.config.host = "127.0.0.1"
asyncio.run(rest.start())
