"""The methods and properties of values: those of Java's strings, numbers, lists and maps that templates use.

A method that a value has not gives nothing, so that the reference is written as it stands in the template.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from cloudlet.services.apigateway.vtl import patterns, steps, values
from cloudlet.services.apigateway.vtl.error import VtlError
from cloudlet.services.apigateway.vtl.values import LARGEST_LIST, LARGEST_TEXT, Entry

_Method = Callable[..., Any]


def property_of(value: Any, name: str) -> Any:
    """Return a property of a value; None where it has none."""
    if isinstance(value, dict):
        return value.get(name, not value if name == "empty" else None)
    if isinstance(value, Entry):
        return {"key": value.key, "value": value.value}.get(name)
    if isinstance(value, list) and name == "empty":
        return not value
    return getattr(value, "vtl_properties", {}).get(name)


def called(value: Any, name: str, arguments: list[Any]) -> Any:
    """Return what a method of a value gives; None where it has none. Raises VtlError."""
    own = getattr(value, "vtl_methods", None)
    methods = _METHODS_OF.get(_kind(value), {}) if own is None else own
    method = methods.get(name) or _COMMON.get(name)
    if method is None:
        return _getter(value, name, arguments)
    running = steps.running()
    running.take_for_text(sum(len(each) for each in (value, *arguments) if isinstance(each, str)))
    try:
        result = method(value, *arguments)
    except (TypeError, AttributeError, ValueError, IndexError, KeyError, OverflowError):
        # Such arguments it does not take, or there is nothing at that place.
        return None
    if isinstance(result, list):
        running.take_for_items(len(result))
    elif isinstance(result, str):
        running.take_for_text(len(_checked(result)))
    return result


def _getter(value: Any, name: str, arguments: list[Any]) -> Any:
    """Return a property by the name of its getter, as Java's beans have it."""
    if name.startswith("get") and len(name) > 3 and not arguments:
        return property_of(value, name[3].lower() + name[4:])
    return None


def element(value: Any, at: Any) -> Any:
    """Return what a list, or a map, has at a place; None where there is nothing."""
    if isinstance(value, list):
        if isinstance(at, int) and not isinstance(at, bool) and -len(value) <= at < len(value):
            return value[at]
        return None
    if isinstance(value, dict):
        return value.get(at if isinstance(at, str) else values.text(at))
    return None


def put(value: Any, at: Any, item: Any) -> None:
    """Set what a list, or a map, has at a place."""
    if isinstance(value, dict):
        _put(value, at, item)
    elif isinstance(value, list) and isinstance(at, int) and -len(value) <= at < len(value):
        value[at] = item


def _kind(value: Any) -> type:
    for kind in (str, bool, int, float, list, dict, Entry):
        if isinstance(value, kind):
            return kind
    return object


def _checked(text: str) -> str:
    if len(text) > LARGEST_TEXT:
        raise VtlError("the text is too large")
    return text


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _position(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value


# -- text


def _substring(text: str, begin: Any, end: Any = None) -> str:
    last = len(text) if end is None else _position(end)
    if not _position(begin) <= last <= len(text):
        raise IndexError
    return text[begin:last]


def _replace(text: str, old: Any, new: Any) -> str:
    old, new = _as_text(old), _as_text(new)
    if len(text) + (text.count(old) if old else len(text) + 1) * len(new) > LARGEST_TEXT:
        raise VtlError("the text is too large")
    return text.replace(old, new)


def _split(text: str, pattern: Any) -> list[Any]:
    parts: list[Any] = patterns.split(text, _as_text(pattern))
    return parts


def _parse_int(_: Any, text: Any, base: Any = 10) -> int:
    if len(_as_text(text)) > 19:
        raise ValueError
    return int(text, base)


def _parse_double(_: Any, text: Any) -> float:
    return float(_as_text(text))


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


# -- lists and maps


def _add(items: list[Any], first: Any, *rest: Any) -> Any:
    if len(items) >= LARGEST_LIST:
        raise VtlError("the list is too long")
    if rest:
        # Those behind it move.
        steps.running().take_for_items(len(items))
        items.insert(_position(first), rest[0])
        return None
    items.append(first)
    return True


def _add_all(items: list[Any], more: Any) -> bool:
    if not isinstance(more, list):
        raise TypeError
    if len(items) + len(more) > LARGEST_LIST:
        raise VtlError("the list is too long")
    steps.running().take_for_items(len(more))
    items.extend(more)
    return bool(more)


def _index_of(items: Collection[Any], wanted: Any) -> int:
    steps.running().take_for_items(len(items))
    return next((number for number, each in enumerate(items) if values.equal(each, wanted)), -1)


def _remove(items: list[Any], wanted: Any) -> Any:
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        steps.running().take_for_items(len(items))
        return items.pop(_position(wanted))
    at = _index_of(items, wanted)
    if at >= 0:
        items.pop(at)
    return at >= 0


def _set(items: list[Any], at: Any, item: Any) -> Any:
    before = items[_position(at)]
    items[at] = item
    return before


def _clear(items: Any) -> None:
    steps.running().take_for_items(len(items))
    items.clear()


def _put(entries: dict[str, Any], key: Any, value: Any) -> Any:
    if len(entries) >= LARGEST_LIST:
        raise VtlError("the map is too large")
    key = key if isinstance(key, str) else values.text(key)
    before = entries.get(key)
    entries[key] = value
    return before


def _put_all(entries: dict[str, Any], more: Any) -> None:
    if len(entries) + len(more) > LARGEST_LIST:
        raise VtlError("the map is too large")
    steps.running().take_for_items(len(more))
    entries.update(more)


_COMMON: dict[str, _Method] = {
    "toString": lambda value: values.text(value),
    "equals": lambda value, other: values.equal(value, other),
}
_NUMBERS: dict[str, _Method] = {
    "intValue": lambda value: int(value),
    "longValue": lambda value: int(value),
    "doubleValue": lambda value: float(value),
    "floatValue": lambda value: float(value),
    "compareTo": lambda value, other: _sign(value, other) if values.is_number(other) else None,
    "parseInt": _parse_int,
    "parseLong": _parse_int,
    "parseDouble": _parse_double,
    "valueOf": _parse_int,
}
_TEXTS: dict[str, _Method] = {
    "length": lambda text: len(text),
    "isEmpty": lambda text: not text,
    "charAt": lambda text, at: text[_position(at)],
    "substring": _substring,
    "indexOf": lambda text, part, begin=0: text.find(_as_text(part), _position(begin)),
    "lastIndexOf": lambda text, part: text.rfind(_as_text(part)),
    "contains": lambda text, part: _as_text(part) in text,
    "startsWith": lambda text, part: text.startswith(_as_text(part)),
    "endsWith": lambda text, part: text.endswith(_as_text(part)),
    "equalsIgnoreCase": lambda text, other: text.lower() == _as_text(other).lower(),
    "compareTo": lambda text, other: _sign(text, _as_text(other)),
    "concat": lambda text, other: _checked(text + _as_text(other)),
    "trim": lambda text: text.strip(),
    "toLowerCase": lambda text: text.lower(),
    "toUpperCase": lambda text: text.upper(),
    "replace": _replace,
    "replaceAll": lambda text, pattern, new: _checked(
        patterns.replaced(text, _as_text(pattern), _as_text(new), everywhere=True)
    ),
    "replaceFirst": lambda text, pattern, new: _checked(
        patterns.replaced(text, _as_text(pattern), _as_text(new), everywhere=False)
    ),
    "matches": lambda text, pattern: patterns.matches(text, _as_text(pattern)),
    "split": _split,
}
_LISTS: dict[str, _Method] = {
    "size": lambda items: len(items),
    "isEmpty": lambda items: not items,
    "get": lambda items, at: items[_position(at)],
    "set": _set,
    "add": _add,
    "addAll": _add_all,
    "remove": _remove,
    "clear": _clear,
    "contains": lambda items, wanted: _index_of(items, wanted) >= 0,
    "indexOf": _index_of,
    "subList": lambda items, begin, end: items[_position(begin) : _position(end)],
}
_MAPS: dict[str, _Method] = {
    "size": lambda entries: len(entries),
    "isEmpty": lambda entries: not entries,
    "get": lambda entries, key: entries.get(key if isinstance(key, str) else values.text(key)),
    "getOrDefault": lambda entries, key, other: entries.get(key, other),
    "put": _put,
    "putAll": _put_all,
    "remove": lambda entries, key: entries.pop(key, None),
    "clear": _clear,
    "containsKey": lambda entries, key: (key if isinstance(key, str) else values.text(key)) in entries,
    "containsValue": lambda entries, value: _index_of(entries.values(), value) >= 0,
    "keySet": lambda entries: list(entries),
    "values": lambda entries: list(entries.values()),
    "entrySet": lambda entries: [Entry(key, value) for key, value in entries.items()],
}
_ENTRIES: dict[str, _Method] = {"getKey": lambda entry: entry.key, "getValue": lambda entry: entry.value}
_METHODS_OF: dict[type, dict[str, _Method]] = {
    str: _TEXTS,
    int: _NUMBERS,
    float: _NUMBERS,
    list: _LISTS,
    dict: _MAPS,
    Entry: _ENTRIES,
}
