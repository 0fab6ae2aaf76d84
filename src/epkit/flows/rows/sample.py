"""Makes a request body from a contract, as the bytes that are sent."""

from epkit.core.contract.contract import ParsedContract
from epkit.core.validate.examples import sample
from epkit.core.validate.validation import encode


def sample_body(contract: ParsedContract, *, rows: int | None, seed: int) -> bytes:
    """Make a body; the same contract, rows and seed give the same bytes.

    Args:
        rows: ≥ 1, or None for as many as the contract's example has.

    Raises:
        UsageError: the contract says too little.
    """
    return encode(sample(contract, rows=rows, seed=seed))
