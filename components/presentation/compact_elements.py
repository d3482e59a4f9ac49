"""Compact props, classes and styles of elements; NiceGUI's own were half of the memory of a window."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from weakref import ref

from nicegui import element as element_module
from nicegui.classes import Classes
from nicegui.element import Element
from nicegui.observables import ObservableCollection
from nicegui.props import Props
from nicegui.style import Style

T = TypeVar("T", bound=Element)


def install_compact_elements() -> None:
    """Have NiceGUI give every element these collections; call it before the first page. Idempotent."""
    for name, compact in {"Props": CompactProps, "Classes": CompactClasses, "Style": CompactStyle}.items():
        setattr(element_module, name, compact)


class _Compact(ObservableCollection):
    """A collection that only its element observes.

    NiceGUI keeps a dictionary of attributes for each, with a list of handlers, one of observers and the time of the
    last change, and inspects the handler's signature: three times for each element. Here these attributes belong to
    the class, and those of an instance are slots, so that the dictionary never comes into being.
    """

    __slots__ = ()

    last_modified = 0.0
    _parent_ref = None
    _observer_refs: Any = ()
    _update: Callable[[], None]

    @property
    def _change_handlers(self) -> list[tuple[Callable[[], None], bool]]:  # type: ignore[override]
        """What dictionaries and lists within call when they change."""
        return [(self._update, False)]

    def on_change(self, handler: Callable[..., Any]) -> None:
        """Raise TypeError: only the element is notified."""
        raise TypeError(f"{type(self).__name__} takes no further handler than its element's, but got {handler}")

    def _handle_change(self) -> None:
        self._update()


class SharedDict(dict[str, Any]):
    """A dictionary that a prop shares with other windows; unlike others it is neither copied nor observed."""


class CompactProps(_Compact, Props[T]):
    """Props of one element."""

    __slots__ = ("_element", "_renames", "_suspend_count", "_warnings")

    def __init__(self, data: Mapping[str, Any], *, element: T) -> None:
        dict.__init__(self, {name: self._observe(value) for name, value in data.items()})
        self._element = ref(element)
        self._suspend_count = 0
        self._renames = self._warnings = _shared()

    def _observe(self, data: Any) -> Any:
        return data if isinstance(data, SharedDict) else super()._observe(data)

    def add_warning(self, prop: str, message: str) -> None:
        """Add a warning message for a prop."""
        self._warnings = _shared(*self._warnings.items(), (prop, message))
        self._check_warning(prop, message)

    def add_rename(self, prop: str, replacement: str) -> None:
        """Add a rename warning for a prop."""
        self._renames = _shared(*self._renames.items(), (prop, replacement))
        self._check_rename(prop, replacement)


class CompactClasses(_Compact, Classes[T]):
    """Classes of one element."""

    __slots__ = ("_element", "_suspend_count")

    def __init__(self, data: Sequence[str], *, element: T) -> None:
        list.__init__(self, data)
        self._element = ref(element)
        self._suspend_count = 0


class CompactStyle(_Compact, Style[T]):
    """Style of one element."""

    __slots__ = ("_element", "_suspend_count")

    def __init__(self, data: Mapping[str, str], *, element: T) -> None:
        dict.__init__(self, data)
        self._element = ref(element)
        self._suspend_count = 0


@cache
def _shared(*pairs: tuple[str, str]) -> dict[str, str]:
    """Return a dictionary that all elements with the same pairs share; not to be changed."""
    return dict(pairs)
