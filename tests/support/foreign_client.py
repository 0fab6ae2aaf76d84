"""Another client of a Dask scheduler, which gets between epkit and a worker: `ADDRESS HOW FILE`.

Where epkit's agent is in a Dask worker, it puts frames of its own in the place of the agent's, or gives the worker's
process work. FILE is what a pickled value would make, if anything unpickled it. It says when it is ready, waits for a line
on its standard input, and says when it is done.
"""

import sys

from distributed import Client


def forge(how, path, dask_worker):
    """Answer polls of the youngest agent with what nobody asked for; called in a Dask worker."""
    import pickle
    import struct

    class Evil:
        def __reduce__(self):
            return open, (path, "w")

    names = [name for name in dask_worker.handlers if name.startswith("epkit-")]
    if not names:
        return None
    evil = pickle.dumps(Evil(), protocol=5)
    unsealed = b'[[], "NoteMessage", ["forged"]]'
    deep = []
    for _ in range(300):
        deep = [deep]
    forged = {
        "pickled": ([evil], None),
        "unsealed": ([struct.pack("<BI", 1, len(unsealed)) + unsealed], None),
        "huge": ([struct.pack("<BI", 1, 2**32 - 1) + b"[]"], None),
        "typed": ({"frames": 1}, 7),
        "deep": (deep, None),
    }
    name = names[-1]  # an agent of an earlier run that lost it may still be there, and is asked by nobody
    genuine = dask_worker.handlers[name]

    async def answer(verb, sealed=(), wait_s=0.0):
        found = await genuine(verb, sealed, wait_s)
        if verb != "poll":
            return found
        if how == "repeated":
            return [each for frame in found[0] for each in (frame, frame)], found[1]
        if how == "swallowed":
            return found[0][1:], found[1]
        return forged[how]

    if how != "posted":
        dask_worker.handlers[name] = answer
    return name, evil


def main(address: str, how: str, path: str) -> None:
    with Client(address, set_as_default=False) as client:
        client.run(len, "")
        print("ready", flush=True)
        sys.stdin.readline()
        first = next(iter(client.scheduler_info()["workers"]))
        name, evil = client.run(forge, how, path, workers=[first])[first]
        if how == "posted":
            client.sync(client.scheduler.proxy, worker=first, msg={"op": name, "verb": "post", "sealed": (evil,)})
        print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
