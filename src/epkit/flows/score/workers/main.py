"""The program of a worker of `epkit score`, and the messages that it receives and sends."""

from typing import Final

from epkit.engines.workers.crew import HelloMessage, RefusedMessage
from epkit.engines.workers.values import Messages
from epkit.flows.crew import worker
from epkit.flows.score.workers import work

SCORE_WORKERS: Final = worker.WorkerKind(
    module="epkit.flows.score.workers.main",
    messages=Messages(
        work.ScoreWork,
        work.ScoreRowsMessage,
        work.ScoreShareMessage,
        work.ScoreRenewMessage,
        work.ScoreEndMessage,
        HelloMessage,
        RefusedMessage,
        work.ScoreAskMessage,
        work.ScoreSettledMessage,
        work.ScoreKeptMessage,
        work.ScoreCountsMessage,
        work.ScoreWaitMessage,
        work.ScoreEndedMessage,
    ),
)

if __name__ == "__main__":
    worker.main(SCORE_WORKERS.messages)
