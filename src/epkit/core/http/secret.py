"""Keys and tokens in a wrapper that no print, log, traceback, pickle or `asdict` reveals."""

from typing import NoReturn


class Secret:
    """A string that only `reveal` returns.

    Equality compares the text. Hashing is not supported, because keys of a dict are often printed.
    """

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; call it only where a request is built."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")

    def __deepcopy__(self, memo: object) -> "Secret":
        # dataclasses.asdict copies its leaves: return the same wrapper, never the text.
        return self
