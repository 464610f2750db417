"""The hooks of functions that start from a snapshot, as AWS's Python runtimes have them.

Developer guide, "Lambda SnapStart runtime hooks for Python". A function may bring the package of this name along, whose
registries are called the same.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Hook = TypeVar("Hook", bound=Callable[..., Any])
    Registry = list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]

_before_snapshot: Registry = []
_after_restore: Registry = []


def register_before_snapshot(func: Hook, *args: object, **kwargs: object) -> Hook:
    """Have a function called before the snapshot is taken: the last that was registered first."""
    _before_snapshot.append((func, args, kwargs))
    return func


def register_after_restore(func: Hook, *args: object, **kwargs: object) -> Hook:
    """Have a function called after the snapshot was restored, in the order in which they were registered."""
    _after_restore.append((func, args, kwargs))
    return func


def get_before_snapshot() -> Registry:
    """Return what is to be called before the snapshot is taken."""
    return _before_snapshot


def get_after_restore() -> Registry:
    """Return what is to be called after the snapshot was restored."""
    return _after_restore
