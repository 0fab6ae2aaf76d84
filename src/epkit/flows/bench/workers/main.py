"""The program of a worker of `epkit bench`, and the messages that it receives and sends."""

from typing import Final

from epkit.engines.workers.crew import HelloMessage, RefusedMessage
from epkit.engines.workers.values import Messages
from epkit.flows.bench.driving import RunFacts
from epkit.flows.bench.workers import messages
from epkit.flows.bench.workers.work import BenchWork
from epkit.flows.crew import worker

BENCH_WORKERS: Final = worker.WorkerKind(
    module="epkit.flows.bench.workers.main",
    messages=Messages(
        BenchWork,
        messages.GoMessage,
        messages.AdmitMessage,
        messages.StopMessage,
        messages.ReplaceMessage,
        messages.DocumentMessage,
        HelloMessage,
        RefusedMessage,
        messages.ReadyMessage,
        messages.GateMessage,
        messages.NoteMessage,
        messages.RowsMessage,
        messages.DigestMessage,
        RunFacts,
        messages.EndedMessage,
    ),
)

if __name__ == "__main__":
    worker.main(BENCH_WORKERS.messages)
