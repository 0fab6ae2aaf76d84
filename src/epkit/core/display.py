"""Values that display themselves in a notebook. The Python API supplies the renderer: the core has none."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

Renderings = Mapping[str, Callable[[], str]]
"""What makes a value's text, by MIME type."""

_HOW: Final[list[Callable[[object], Renderings]]] = []
"""How values are shown, the last one counts; empty until the Python face is there."""


def show_by(how: Callable[[object], Renderings]) -> None:
    """Have every `Displayed` value shown by *how*."""
    _HOW[:] = [how]


class Displayed:
    """A value that a notebook shows as a small page, and as text where there are no pages."""

    __slots__ = ()

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """Return the value by MIME type, as IPython asks for it.

        Args:
            include: the only types that are wanted, None for all.
            exclude: types that are not.
        """
        known = _HOW[0](self) if _HOW else {"text/plain": self.__repr__}
        return {
            kind: make()
            for kind, make in known.items()
            if (include is None or kind in include) and kind not in (exclude or ())
        }

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Write the value's text, which IPython would else take from the list or tuple that the value also is."""
        printer.text(self._repr_mimebundle_(include=("text/plain",))["text/plain"])
