"""Keys and tokens, held so that no print, log, traceback, pickle or `asdict` gives them away."""

from typing import NoReturn


class Secret:
    """A string that only `reveal` shows.

    Equality compares the text; hashing is left out, because a dict key tends to be printed.
    """

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; call it where a request is built and nowhere else."""
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
        # dataclasses.asdict copies its leaves: hand on the same wrapper, never the text.
        return self
