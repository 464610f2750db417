"""Filter policies: which of a topic's messages a subscription receives.

Source: developer guide, "Amazon SNS subscription filter policies" and "Filter policy constraints".

A message's attributes and its body are matched in the same way, as a JSON object. A property of several values (an
array) matches when one of them does. Of an array of objects, one and the same must satisfy all that the policy says of
its properties. A name with dots is also that of a property within others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.aws.event_ruler import NOT_ASKED, Path, PatternError, Whole
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.sns import errors, filter_patterns
from cloudlet.services.sns.filter_patterns import Patterns, Scalar
from cloudlet.services.sns.message import Message
from cloudlet.wire import json_text

_POLICY_BYTES = 256 << 10
_KEYS = 5
_MOST_PROPERTIES = 2_000
"""More than a policy can have without being too complex: of those within others, and of each alternative of `$or`."""
_KEPT_BYTES = 32 << 20
_BYTES_A_CHARACTER = 32
"""Of memory, that a compiled policy takes at most: it may be a list of many short texts."""
Rejection = Literal["InvalidMessageBody", "MessageAttributes", "MessageBody", "NoMessageAttributes"]
"""Why a message is filtered out, as metrics name it. (Attributes that are invalid are not even published.)"""
_OR = "$or"


@dataclass(frozen=True, slots=True)
class _Property:
    """What a policy says of one property: patterns for its values, or what it says of the properties within it."""

    name: str
    path: Path
    patterns: Patterns | None
    within: _Object | None


@dataclass(frozen=True, slots=True)
class _Object:
    """All of the properties must match and, of each `$or`, one of its objects."""

    properties: tuple[_Property, ...]
    choices: tuple[tuple[_Object, ...], ...]

    def matches(self, value: Any, whole: Whole) -> bool:
        if type(value) is list and value:
            return any(self.matches(element, whole) for element in value)
        found = value if type(value) is dict else {}
        for property in self.properties:
            name = property.name
            looked_at = {name: values} if "." in name and (values := [*_values(found, name)]) else found
            given = looked_at.get(name)
            if property.within is not None:
                if not property.within.matches(given, whole):
                    return False
            elif property.patterns is not None:
                admitted = name in looked_at and _admits(property.patterns, given)
                if not admitted and not (property.patterns.absent and whole.lacks(property.path)):
                    return False
        return all(any(choice.matches(found, whole) for choice in choices) for choices in self.choices)


class FilterPolicy:
    """A compiled policy, for `scope` MessageAttributes or MessageBody."""

    __slots__ = ("_accepts", "_asks_for_absence", "_read", "tests")

    def __init__(self, accepts: _Object, scope: str) -> None:
        self._accepts = accepts
        self.tests = _tests(accepts)
        """How often it looks at a message's values, at most."""
        self._asks_for_absence = _asks_for_absence(accepts)
        self._read: Callable[[Message], dict[str, Any] | None] = _body if scope == "MessageBody" else _attributes

    def matches(self, message: Message) -> bool:
        """Whether the subscription receives the message."""
        accepts = self._accepts
        if not accepts.properties and not accepts.choices:
            return True
        found = self._read(message)
        try:
            if not found:
                return False
            return accepts.matches(found, Whole(found, _lacks) if self._asks_for_absence else NOT_ASKED)
        except RecursionError:
            # A body of thousands of nested arrays.
            return False

    def why_not(self, message: Message) -> Rejection:
        """Return why the subscription does not receive a message that does not match."""
        if self._read is _body:
            return "InvalidMessageBody" if _body(message) is None else "MessageBody"
        return "MessageAttributes" if message.attributes else "NoMessageAttributes"


def parse(text: str, scope: str) -> FilterPolicy:
    """Return the policy of a FilterPolicy attribute. Raises AwsError InvalidParameter."""
    if len(text.encode(errors="replace")) > _POLICY_BYTES:
        raise _invalid(f"Filter policy must be at most {_POLICY_BYTES} bytes long")
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise _invalid(f"failed to parse JSON. {error}") from error
    if not isinstance(document, dict):
        raise _invalid("Filter is not an object")
    if not document:
        return FilterPolicy(_Object((), ()), scope)
    try:
        accepts = _Reader(nested=scope == "MessageBody").object(document, ())
    except PatternError as error:
        raise _invalid(str(error)) from error
    except RecursionError as error:
        raise _invalid(filter_patterns.TOO_COMPLEX) from error
    _check_limits(accepts)
    return FilterPolicy(accepts, scope)


_compiled: Final[SizedCache[tuple[str, str], FilterPolicy]] = SizedCache(_KEPT_BYTES)


def compiled(text: str, scope: str) -> FilterPolicy:
    """Return the policy of a FilterPolicy attribute that was admitted. Those used lately are kept."""
    return _compiled.get_or_add((text, scope), lambda key: parse(*key), len(text) * _BYTES_A_CHARACTER)


def known(text: str, scope: str) -> FilterPolicy | None:
    """Return a policy if that is kept: to compile it may take long."""
    return _compiled.get((text, scope))


class _Reader:
    """Reads one policy, and stops where that is too complex: who sets it could have others wait for long."""

    def __init__(self, *, nested: bool) -> None:
        self._nested = nested
        self._properties = 0

    def object(self, document: dict[str, Any], path: Path) -> _Object:
        if not document:
            raise PatternError("Empty objects are not allowed")
        self._properties += len(document)
        if self._properties > _MOST_PROPERTIES or len(path) > filter_patterns.MOST_COMBINATIONS:
            raise PatternError(filter_patterns.TOO_COMPLEX)
        properties, choices = [], []
        for name, value in document.items():
            within = (*path, name)
            if name == _OR and _is_choice(value):
                choices.append(tuple([self.object(alternative, path) for alternative in value]))
            elif isinstance(value, list):
                properties.append(_Property(name, within, filter_patterns.compile(value), None))
            elif not isinstance(value, dict):
                raise PatternError(f'"{name}" must be an object or an array')
            elif not self._nested:
                raise errors.invalid_parameter(
                    "Filter policy scope MessageAttributes does not support nested filter policy"
                )
            else:
                properties.append(_Property(name, within, None, self.object(value, within)))
        return _Object(tuple(properties), tuple(choices))


def _is_choice(value: Any) -> bool:
    """Whether the value of `$or` makes it the operator; else it is the name of a property like any other."""
    return (
        isinstance(value, list)
        and len(value) >= 2
        and all(isinstance(alternative, dict) and not _uses_reserved_names(alternative) for alternative in value)
    )


def _uses_reserved_names(document: dict[str, Any]) -> bool:
    return any(
        name in filter_patterns.RESERVED or (isinstance(value, dict) and _uses_reserved_names(value))
        for name, value in document.items()
    )


def _check_limits(accepts: _Object) -> None:
    if len(set(_names(accepts))) > _KEYS:
        raise _invalid(f"Filter policy can not have more than {_KEYS} keys")
    if (
        _combinations(accepts) > filter_patterns.MOST_COMBINATIONS
        or _wildcard_points(accepts) > filter_patterns.MOST_WILDCARD_POINTS
    ):
        raise _invalid(filter_patterns.TOO_COMPLEX)


def _tests(accepts: _Object) -> int:
    """Return how many tests there are in all of a policy."""
    total = 0
    for property in accepts.properties:
        total += 1
        if property.within is not None:
            total += _tests(property.within)
        elif property.patterns is not None:
            total += len(property.patterns.tests)
    return total + sum([_tests(choice) for choices in accepts.choices for choice in choices])


def _asks_for_absence(accepts: _Object) -> bool:
    """Whether some property may have no value."""
    return any(
        _asks_for_absence(each.within)
        if each.within is not None
        else each.patterns is not None and each.patterns.absent
        for each in accepts.properties
    ) or any(_asks_for_absence(choice) for choices in accepts.choices for choice in choices)


def _names(accepts: _Object) -> Iterator[str]:
    """Return the names of the top-level properties: only these are counted."""
    for property in accepts.properties:
        yield property.name
    for choices in accepts.choices:
        for choice in choices:
            yield from _names(choice)


def _combinations(accepts: _Object) -> int:
    """Return the product of the numbers of values, each times its depth; alternatives of `$or` are added up."""
    total = 1
    for property in accepts.properties:
        if property.within is not None:
            total *= _combinations(property.within)
        elif property.patterns is not None:
            total *= len(property.path) * property.patterns.count
    for choices in accepts.choices:
        total *= sum([_combinations(choice) for choice in choices])
    return total


def _wildcard_points(accepts: _Object) -> int:
    """Return how much the wildcards of all properties count together."""
    total = 0
    for property in accepts.properties:
        if property.within is not None:
            total += _wildcard_points(property.within)
        elif property.patterns is not None:
            total += property.patterns.wildcard_points
    return total + sum([_wildcard_points(choice) for choices in accepts.choices for choice in choices])


def _invalid(reason: str) -> AwsError:
    return errors.invalid_parameter(f"FilterPolicy: {reason}")


def _admits(patterns: Patterns, value: Any) -> bool:
    """Whether one of a property's values is admitted."""
    kind = type(value)
    if kind is list:
        return any(_admits(patterns, element) for element in value)
    return kind is not dict and patterns.admits(value)


def _values(properties: dict[str, Any], name: str) -> Iterator[Any]:
    """Yield what is under a name; for one with dots also what is within properties that its parts name."""
    if name in properties:
        yield properties[name]
    dot = name.find(".")
    while dot >= 0:
        outer = properties.get(name[:dot])
        for each in outer if type(outer) is list else (outer,):
            if type(each) is dict:
                yield from _values(each, name[dot + 1 :])
        dot = name.find(".", dot + 1)


def _lacks(properties: dict[str, Any], path: Path) -> bool:
    return not _has_value(properties, path)


def _has_value(value: Any, path: Path) -> bool:
    """Whether anything but an object or an empty array is at a path, be it null."""
    if type(value) is list:
        return any(_has_value(element, path) for element in value)
    if not path:
        return type(value) is not dict
    return type(value) is dict and any(_has_value(each, path[1:]) for each in _values(value, path[0]))


def _any_value(properties: dict[str, Any]) -> bool:
    """Whether there is anything at all: what has no value matches nothing, not even by what it lacks."""
    waiting: list[Any] = [properties]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            waiting += value.values()
        elif type(value) is list:
            waiting += value
        else:
            return True
    return False


class _LastRead:
    """The properties of the message that was read last: one message is matched with many policies in a row.

    What has no values at all has no properties.
    """

    def __init__(self, read: Callable[[Message], dict[str, Any] | None]) -> None:
        self._read = read
        self._last: tuple[Message | None, dict[str, Any] | None] = (None, None)

    def __call__(self, message: Message) -> dict[str, Any] | None:
        # One look and one assignment: large messages are read in threads.
        known, properties = self._last
        if message is not known:
            properties = self._read(message)
            if properties and not _any_value(properties):
                properties.clear()
            self._last = (message, properties)
        return properties


def _read_attributes(message: Message) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, attribute in message.attributes.items():
        if isinstance(attribute.value, str):
            values[name] = _attribute_value(attribute.type, attribute.value)
    return values


def _attribute_value(kind: str, text: str) -> list[Scalar] | Scalar:
    """Return a value as the JSON value that it means; text that is not what its type says remains text."""
    if kind not in ("Number", "String.Array", "Number.Array"):
        return text
    try:
        if kind == "Number":
            return float(text)
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, dict) else value


def _read_body(message: Message) -> dict[str, Any] | None:
    """Return the body where it is a JSON object; any other matches no policy."""
    try:
        body = json_text.decode(message.bodies["default"])
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


_attributes = _LastRead(_read_attributes)
_body = _LastRead(_read_body)
