"""How counts are written in sentences."""


def plural(count: int, noun: str) -> str:
    """Write a count and its noun: `1 run`, `2 runs`, `1,000 runs`."""
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"
