"""Values that display themselves in a notebook. The Python API supplies the renderer: the core has none."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

Renderings = Mapping[str, Callable[[], str]]
"""The functions that render a value, by MIME type."""

_HOW: Final[list[Callable[[object], Renderings]]] = []
"""The renderers of values; the last one is used. Empty until the Python API is imported."""


def show_by(how: Callable[[object], Renderings]) -> None:
    """Use *how* to render every `Displayed` value."""
    _HOW[:] = [how]


class Displayed:
    """A value that a notebook shows as a small page, or as text if it cannot show pages."""

    __slots__ = ()

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """Return the rendered value by MIME type; IPython calls this.

        Args:
            include: the only types that are wanted, None for all.
            exclude: types that are not wanted.
        """
        known = _HOW[0](self) if _HOW else {"text/plain": self.__repr__}
        return {
            kind: make()
            for kind, make in known.items()
            if (include is None or kind in include) and kind not in (exclude or ())
        }

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Write the value's text. Without this, IPython shows a value that is a list or tuple as such."""
        printer.text(self._repr_mimebundle_(include=("text/plain",))["text/plain"])
