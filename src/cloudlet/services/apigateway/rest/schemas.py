"""Models: JSON schemas (draft 4) that bodies are checked by. Developer guide, "Data models for REST APIs".

Patterns are matched by RE2, so that no body makes them take long, and checks are counted: where each schema refers to
the next one twice, there are as many as there is no time for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache, partial
from itertools import islice
from typing import Any

import msgspec

from cloudlet.services.apigateway.verdicts import Verdicts
from cloudlet.services.apigateway.vtl import VtlError, patterns
from cloudlet.wire import json_text

_LARGEST = 400 << 10
_MOST_ERRORS = 20
_LONGEST_MESSAGE = 1000
_MANY_TEXTS = 8
_LARGE_BODY = 32 << 10
_QUICK = 1 << 20
"""So many bytes of a schema times those of a body are checked within milliseconds."""
_MOST_CHECKS = 200_000
_CHECKS_A_BYTE = 2
"""Of a body that is large; a schema that people write takes a quarter."""
_OF_A_REFERENCE, _OF_A_PATTERN, _OF_A_NEW_PATTERN = 20, 8, 400
"""As many checks as following a reference, matching a text, or reading a pattern, takes as long as."""
_SCHEMAS_SHARE = 4
"""As many times as many checks takes a schema, itself, as a body of its size."""
_MODELS = "/models/"
_OF_AN_API = re.compile(r"/restapis/[a-z0-9]*/models/")


def _read(text: str) -> Any:
    if len(text) > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST} bytes")
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON") from error


Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]
"""Yields what is wrong: of the validator, the keyword's value, what is checked, and the schema."""


@cache
def _validator() -> Any:
    """Return the class of validators, in which nothing takes long."""
    import jsonschema

    base: Any = jsonschema.validators.extend
    own: dict[str, Keyword] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional,
        "uniqueItems": _unique_items,
        "$ref": partial(_referred, jsonschema.Draft4Validator.VALIDATORS["$ref"]),
    }
    keywords = {**jsonschema.Draft4Validator.VALIDATORS, **own}
    counted = {name: _counted(keyword, _OF_A_REFERENCE if name == "$ref" else 1) for name, keyword in keywords.items()}
    return base(jsonschema.Draft4Validator, counted)


class _TooMuch(Exception):
    """A body takes too long to check."""


class _Checks:
    """What is left of the checks of a body, or of a schema itself."""

    __slots__ = ("_left",)

    def __init__(self, size: int) -> None:
        self._left = _MOST_CHECKS + _CHECKS_A_BYTE * size

    def take(self, number: int = 1) -> None:
        """Raises _TooMuch where there are not as many left."""
        self._left -= number
        if self._left < 0:
            raise _TooMuch


_CHECKS: ContextVar[_Checks | None] = ContextVar("checks", default=None)
"""Those of what is being checked."""


def _take(number: int) -> None:
    checks = _CHECKS.get()
    if checks is not None:
        checks.take(number)


def _counted(keyword: Keyword, weight: int) -> Keyword:
    """Return a keyword that is counted, and does not say more than anybody reads: it would show the whole body."""

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        # To look at what a list or a map allows takes less than to begin with it.
        _take(weight + (len(value) // 16 if isinstance(value, (list, dict)) else 0))
        for error in keyword(validator, value, instance, schema) or ():
            _take(len(error.message) // 32)
            error.message = error.message[:_LONGEST_MESSAGE]
            yield error

    return check


_MATCHED: ContextVar[Mapping[tuple[str, str], bool]] = ContextVar("matched", default={})  # noqa: B039
"""Whether patterns match texts, of the body that is being checked."""


def _found(text: str, pattern: str) -> bool:
    known = _MATCHED.get().get((text, pattern))
    if known is not None:
        return known
    _take(patterns.steps_of(len(text), pattern))
    try:
        return patterns.found(text, pattern)
    except VtlError:
        return False


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _found(instance, pattern):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _referred(follow: Keyword, validator: Any, reference: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(reference, str):
        yield from follow(validator, reference, instance, schema) or ()
    else:
        # Draft 4's own schema does not say what it is to be, as it may be the name of a property, too.
        yield ValidationError("The model has a reference that leads nowhere")


def _pattern_properties(validator: Any, given: dict[str, Any], instance: Any, schema: Any) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    for pattern, below in given.items():
        _take(len(instance))
        for name, value in instance.items():
            if _found(name, pattern):
                yield from validator.descend(value, below, path=name, schema_path=pattern)


def _additional(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    known = schema.get("properties") or {}
    others = list(schema.get("patternProperties") or {})
    _take(len(instance) * len(others))
    extras = [name for name in instance if name not in known and not any(_found(name, each) for each in others)]
    if isinstance(allowed, dict):
        for name in extras:
            yield from validator.descend(instance[name], allowed, path=name)
    elif not allowed and extras:
        yield ValidationError(f"object instance has properties which are not allowed by the schema: {extras}")


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """Compare items by how they are written: each with each other would take the square of their number."""
    from jsonschema import ValidationError

    if not unique or not isinstance(instance, list):
        return
    _take(len(instance))
    seen = {msgspec.json.encode(_comparable(item), order="sorted") for item in instance}
    if len(seen) != len(instance):
        yield ValidationError("array must not contain duplicate elements")


def _comparable(value: Any) -> Any:
    """Return a value that is written as all others are that are equal to it: 1.0 is 1, as JSON Schema has it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    if isinstance(value, dict):
        return {key: _comparable(each) for key, each in value.items()}
    return value


def _wrong(text: str) -> str:
    """Return why a text cannot be taken for a schema."""
    try:
        schema = _read(text)
    except ValueError as error:
        return str(error)
    if not isinstance(schema, dict):
        return "it is not an object"
    import jsonschema

    counted = _CHECKS.set(_Checks(_SCHEMAS_SHARE * len(text)))
    try:
        validator = _validator()
        errors = islice(validator(validator.META_SCHEMA).iter_errors(schema), _MOST_ERRORS)
        worst = jsonschema.exceptions.best_match(errors)
        if worst is not None:
            return str(worst.message)
        for pattern in set(_patterns(schema)):
            _take(_OF_A_NEW_PATTERN)
            try:
                patterns.found("", pattern)
            except VtlError:
                return f"the pattern {pattern!r} is not one of RE2's, which have no lookaround and no back references"
    except RecursionError:
        return "it is nested too deeply"
    except _TooMuch:
        return "it takes too long to check"
    finally:
        _CHECKS.reset(counted)
    return ""


VERDICTS = Verdicts(_wrong, lambda text: _OF_AN_API.sub(_MODELS, text))


def check(text: str) -> None:
    """Raise ValueError for what is no schema."""
    wrong = VERDICTS.of(text)
    if wrong:
        raise ValueError(wrong)


def _patterns(schema: Any) -> Iterator[str]:
    """Return the regular expressions of a schema."""
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            if isinstance(value.get("pattern"), str):
                yield value["pattern"]
            if isinstance(value.get("patternProperties"), dict):
                yield from value["patternProperties"]
            waiting.extend(each for name, each in value.items() if name not in ("enum", "default", "example"))


def flattened(text: str, models: Mapping[str, str]) -> Any:
    """Return a schema whose references to other models lead to its own `definitions`."""
    definitions: dict[str, Any] = {}

    def adopted(value: Any) -> Any:
        if isinstance(value, list):
            return [adopted(each) for each in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str) and _MODELS in reference:
            name = reference.rpartition(_MODELS)[2]
            if name not in definitions and name in models:
                definitions[name] = {}
                definitions[name] = adopted(_lenient(models[name]))
            return {**value, "$ref": f"#/definitions/{name}"}
        return {key: adopted(each) for key, each in value.items()}

    schema = adopted(_lenient(text))
    if definitions and isinstance(schema, dict):
        schema = {**schema, "definitions": {**(schema.get("definitions") or {}), **definitions}}
    return schema


def _lenient(text: str) -> Any:
    try:
        return _read(text)
    except ValueError:
        return {}


def _texts(value: Any) -> list[str]:
    """Return the texts in a body, the names of members included."""
    result: set[str] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            result.add(each)
        elif isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, dict):
            result.update(each)
            waiting.extend(each.values())
    return list(result)


class Schema:
    """A compiled model."""

    def __init__(self, text: str, models: Mapping[str, str]) -> None:
        self._text = text
        self._models = models
        self._patterns: list[str] = []
        self._validator: Any = None
        # Whatever takes long to read, or to check a body by, has one of these words in it.
        self._takes_long = any(word in text for word in ("$ref", "attern", "\\u"))

    def takes_long(self, body: bytes) -> bool:
        """Whether a body is better checked beside the event loop."""
        return self._takes_long or len(body) > _LARGE_BODY or (len(body) + 1) * len(self._text) > _QUICK

    def _compiled(self) -> Any:
        """Return the validator, made when it is first wanted."""
        if self._validator is None:
            from referencing import Registry

            schema = flattened(self._text, self._models)
            self._patterns = sorted(set(_patterns(schema)))
            # A registry of its own: nothing is fetched from elsewhere.
            self._validator = _validator()(schema, registry=Registry())
        return self._validator

    def errors(self, body: bytes) -> list[str]:
        """Return what is wrong with a body; nothing where all is well."""
        try:
            value = json_text.decode(body or b"{}")
        except (ValueError, RecursionError):
            return ["Unable to parse JSON"]
        validator = self._compiled()
        found: list[str] = []
        counted, matched = _CHECKS.set(_Checks(len(body))), _MATCHED.set({})
        try:
            _MATCHED.set(self._matched(value))
            for error in validator.iter_errors(value):
                found.append(error.message)
                if len(found) == _MOST_ERRORS:
                    break
        except RecursionError:
            return ["The body is nested too deeply"]
        except _TooMuch:
            return ["The body takes too long to check"]
        except OverflowError:
            return ["The body has a number that is too large to check"]
        except Exception as error:
            # A reference that leads nowhere is found out only when it is followed.
            if type(error).__module__.partition(".")[0] not in ("referencing", "jsonschema"):
                raise
            return ["The model has a reference that leads nowhere"]
        finally:
            _MATCHED.reset(matched)
            _CHECKS.reset(counted)
        return found

    def _matched(self, value: Any) -> dict[tuple[str, str], bool]:
        """Return whether patterns match texts of a body that has many: one by one that takes long."""
        texts = _texts(value) if self._patterns else []
        if len(texts) < _MANY_TEXTS:
            return {}
        result: dict[tuple[str, str], bool] = {}
        length = sum(map(len, texts))
        for pattern in self._patterns:
            _take(len(texts) * _OF_A_PATTERN + patterns.steps_of(length, pattern))
            try:
                found = patterns.found_in(texts, pattern)
            except VtlError:
                # Such a model was made before they were refused.
                found = [False] * len(texts)
            result.update(zip(((text, pattern) for text in texts), found, strict=True))
        return result
