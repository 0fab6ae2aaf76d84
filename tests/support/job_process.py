"""The process of a job without a pipeline: it starts, and exits with the code in the file `go` of its directory."""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from epkit.core.pipeline.jobs import PublishedProgress
from epkit.files.published_jobs import JobDirectory

PATIENCE_S = 30


def main() -> None:
    directory, lock = Path(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(lock, False)
    files = JobDirectory(directory)
    began = PublishedProgress(pid=os.getpid(), run=files.order().number, begun_ms=1000)

    def end(code: int, *, interrupted: bool = False) -> None:
        files.save(replace(began, exit_code=code, interrupted=interrupted, reason="cancelled" if interrupted else None))
        os._exit(code)

    signal.signal(signal.SIGTERM, lambda *_: end(143, interrupted=True))
    files.save(began)
    with Path("started").open("a") as started:
        started.write(f"{directory.name}\n")
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if (Path("go")).exists():
            end(int(Path("go").read_text()))
        time.sleep(0.01)


if __name__ == "__main__":
    main()
