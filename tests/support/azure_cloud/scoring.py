"""*.inference.ml.azure.com and *.azurecontainer.io: the endpoints themselves, protected by a key or a token."""

import json

from support.azure_cloud import batch
from support.azure_cloud.http import Reply, Request, Routes
from support.azure_cloud.state import State
from support.places import ROOT

CONTRACT = ROOT / "swagger" / "bank.swagger2.json"


def routes(state: State) -> Routes:
    found = Routes()
    batch.scoring(found, state)

    def refused(request: Request) -> Reply | None:
        name = request.host.partition(".")[0]
        given = request.headers.get("authorization", "")
        keys = [key for of, both in state.keys.items() if name in (of, "localhost") for key in both.values()]
        if given.removeprefix("Bearer ") in keys or state.knows(given):
            return None
        return Reply(status=401, body=b"key_auth_access_denied")

    @found.on("GET", "/swagger.json")
    def contract(request: Request) -> Reply:
        return refused(request) or Reply(body=state.contract or CONTRACT.read_bytes())

    @found.on("POST", "/score")
    def score(request: Request) -> Reply:
        script = state.scripts.get(request.headers.get("azureml-model-deployment", ""))
        if script is not None and refused(request) is None:
            status, answer = script(request.body)
            return Reply(status=status, body=json.dumps(answer))
        rows = json.loads(request.body)["data"]
        return refused(request) or Reply(body=json.dumps({"result": ["yes"] * len(rows)}))

    return found
