"""Formats a value for a message: short, and on one line."""

import math


def show(value: object) -> str:
    """Write a value as JSON, short enough for one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case str():
            printable = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in value[:41])
            return f'"{printable[:40]}{"…" if len(printable) > 40 else ""}"'
        case int():
            # Python refuses to convert numbers of thousands of digits to text.
            if value.bit_length() > 200:
                return f"a number of about {int(value.bit_length() * 0.30103):,} digits"
            return str(value)
        case float():
            return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, repr(value) if value == value else "NaN")
        case list():
            return f"an array of {len(value):,}" if value else "[]"
        case dict():
            return (
                f"an object with {', '.join(map(show, list(value)[:3]))}{', …' if len(value) > 3 else ''}"
                if value
                else "{}"
            )
    return type(value).__name__
