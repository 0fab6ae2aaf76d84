"""Makes a request body from a contract, as the bytes that are sent."""

from epkit.core.contract.contract import ParsedContract
from epkit.core.json.writing import dumps_payload
from epkit.core.validate.examples import sample


def sample_body(contract: ParsedContract, *, rows: int | None, seed: int) -> bytes:
    """Make a body; the same contract, rows and seed give the same bytes.

    Args:
        rows: ≥ 1, or None for as many as the contract's example has.

    Raises:
        UsageError: the contract says too little.
    """
    return dumps_payload(sample(contract, rows=rows, seed=seed))
