"""YAML texts of users: what a text stands for is known before it is made, however much its aliases repeat."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

_LARGEST: Final = 12 << 20
"""Characters, those of what an alias stands for each time."""
_OF_A_VALUE: Final = 8
"""As many characters as a value takes beside its text."""
_MOST_VALUES: Final = 250_000
"""Each takes some microseconds to read."""
_DEEPEST: Final = 200
_LONG_NUMBER: Final = re.compile(r"[-+]?[0-9_:.]{100,}")
"""A number to the base of 60, as YAML has them, takes the square of its length to read."""


class Refused(ValueError):
    """The text is no YAML, or stands for too much."""


@dataclass(slots=True)
class _Extent:
    """How large a value is, and how deep."""

    size: int = _OF_A_VALUE
    height: int = 0


def read(text: str) -> Any:
    """Return what a text stands for; all keys are texts, as in JSON. May take seconds. Raises Refused."""
    # Slow to import, and not needed by who writes JSON.
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check(yaml, text, loader)
        value = yaml.load(text, loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise Refused("the definition is neither JSON nor YAML") from error
    except Refused:
        raise
    except ValueError as error:
        raise Refused("the definition is neither JSON nor YAML") from error
    _name_by_texts(value)
    return value


def _check(yaml: Any, text: str, loader: Any) -> None:
    """Raise Refused for what stands for too much, is too deep, or holds itself. Raises YAMLError."""
    known: dict[str, _Extent | None] = {}
    """By anchors; None while it is read."""
    open_ones: list[tuple[str | None, _Extent]] = [(None, _Extent())]
    count = 0
    for event in yaml.parse(text, Loader=loader):
        count += 1
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.CollectionStartEvent):
            open_ones.append((anchor, _Extent()))
            if anchor is not None:
                known[anchor] = None
            if len(open_ones) > _DEEPEST:
                raise Refused("the definition is nested too deeply")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, extent = open_ones.pop()
        elif isinstance(event, yaml.ScalarEvent):
            if (event.implicit[0] or event.tag is not None) and _LONG_NUMBER.fullmatch(event.value):
                raise Refused("the definition has a number that is too large")
            extent = _Extent(_OF_A_VALUE + len(event.value))
        elif isinstance(event, yaml.AliasEvent):
            named = known.get(anchor or "", _Extent())
            if named is None:
                raise Refused("the definition has an alias for what it is a part of: its aliases stand for too much")
            extent = named
            anchor = None
        else:
            continue
        if anchor is not None:
            known[anchor] = extent
        _, outer = open_ones[-1]
        outer.size += extent.size
        outer.height = max(outer.height, extent.height + 1)
        if outer.size > _LARGEST:
            raise Refused("the aliases of the definition stand for too much")
        if outer.height > _DEEPEST:
            raise Refused("the definition is nested too deeply")
        if count > _MOST_VALUES:
            raise Refused(f"a definition in YAML has up to {_MOST_VALUES} values")


def _name_by_texts(value: Any) -> None:
    """Make all keys texts: status codes come as numbers."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, (dict, list, tuple)) or id(each) in seen:
            continue
        seen.add(id(each))
        if not isinstance(each, dict):
            waiting.extend(each)
            continue
        if not all(isinstance(key, str) for key in each):
            members = {str(key): member for key, member in each.items()}
            each.clear()
            each.update(members)
        waiting.extend(each.values())
