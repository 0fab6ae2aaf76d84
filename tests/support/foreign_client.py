"""Another client of a Dask scheduler, which interferes between epkit and a worker: `ADDRESS HOW FILE`.

In a Dask worker with epkit's agent, it replaces the agent's frames with its own, or gives the worker's process work. A
pickled value would create FILE if it were unpickled. The client reports when it is ready, waits for a line on its
standard input, and reports when it is done.
"""

import sys

from distributed import Client


def forge(how, path, dask_worker):
    """Answer polls of the youngest agent with forged messages; called in a Dask worker."""
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
    name = names[-1]  # an agent of an earlier run may still exist, but nothing polls it
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
