"""Patch operations: how updates of API Gateway's first version say what is to change.

API reference, "PatchOperation" and "Patch operations". A resource declares at what paths it may be patched; a path is a
JSON pointer in which `*` stands for any name, and `**` for any names: paths of resources come with and without escapes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from cloudlet.core import AwsError
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.documents import Document

Read = Callable[[str], Any]
"""Returns what the text of a patch stands for. Raises ValueError."""
Apply = Callable[[Document, list[str], str, "str | None"], None]
"""Changes a document at a path, given the operation and its value. Raises AwsError."""
REPLACE = ("replace",)
ANY = ("add", "replace", "remove")
_MOST = 300


class Path(NamedTuple):
    """Where a resource may be patched, and how."""

    pattern: str
    operations: tuple[str, ...]
    apply: Apply
    source: str = ""
    """For a copy: where from."""


def text(value: str) -> str:
    return value


def boolean(value: str) -> bool:
    lowered = value.lower()
    if lowered not in ("true", "false"):
        raise ValueError("it must be true or false")
    return lowered == "true"


def integer(value: str) -> int:
    if not value.lstrip("-").isdecimal() or len(value) > 18:
        raise ValueError("it must be a number")
    return int(value)


def number(value: str) -> float:
    result = float(value[:40])
    if result != result or result in (float("inf"), float("-inf")):
        raise ValueError("it must be a number")
    return result


def one_of(*values: str) -> Read:
    """Values out of some."""

    def read(value: str) -> str:
        if value not in values:
            raise ValueError(f"it must be one of {', '.join(values)}")
        return value

    return read


def _holder(document: Document, path: Iterable[str]) -> Document:
    """Return the map that a path leads to; it is made where it is missing."""
    for step in path:
        below = document.get(step)
        if not isinstance(below, dict):
            below = document[step] = {}
        document = below
    return document


def read_value(read: Read, path: list[str], value: str | None) -> Any:
    """Return what a patch gives. Raises BadRequestException."""
    if value is None:
        raise errors.bad_request(f"Missing value for the patch operation at /{'/'.join(path)}")
    try:
        return read(value)
    except ValueError as error:
        reason = str(error) if str(error).startswith("it ") else "it is not valid"
        raise errors.bad_request(f"Invalid patch value '{value}' specified for /{'/'.join(path)}: {reason}") from None


def value(pattern: str, read: Read = text, operations: tuple[str, ...] = REPLACE) -> Path:
    """A single value, or an entry of a map (where the pattern ends with `*`)."""

    def apply(document: Document, path: list[str], operation: str, given: str | None) -> None:
        holder = _holder(document, path[:-1])
        if operation == "remove":
            holder.pop(path[-1], None)
        elif given == "" and read is not text:
            # Nothing, where it is not text, takes the value away.
            holder.pop(path[-1], None)
        else:
            holder[path[-1]] = read_value(read, path, given)

    return Path(pattern, operations, apply)


def entry(pattern: str, read: Read = text) -> Path:
    """An entry of a map."""
    return value(pattern, read, ANY)


def element(pattern: str) -> Path:
    """An element of a list of texts: it is the last name of the path."""

    def apply(document: Document, path: list[str], operation: str, given: str | None) -> None:
        *before, name, last = path
        holder = _holder(document, before)
        known = [each for each in holder.get(name) or [] if each != last]
        if operation == "replace":
            known.append(given if given else last)
        elif operation == "add":
            known.append(last)
        holder[name] = known

    return Path(f"{pattern}/*", ANY, apply)


def elements(pattern: str, operations: tuple[str, ...] = ("add", "remove", "replace")) -> Path:
    """A list of texts: elements are the values of operations, several separated by commas."""

    def apply(document: Document, path: list[str], operation: str, given: str | None) -> None:
        holder = _holder(document, path[:-1])
        known = holder.get(path[-1]) or []
        values = [each.strip() for each in (given or "").split(",") if each.strip()]
        if operation == "replace":
            holder[path[-1]] = values
            return
        known = [each for each in known if each not in values]
        holder[path[-1]] = known + values if operation == "add" else known

    return Path(pattern, operations, apply)


def whole(pattern: str) -> Path:
    """Something that may be taken away as a whole."""

    def apply(document: Document, path: list[str], operation: str, given: str | None) -> None:
        _holder(document, path[:-1]).pop(path[-1], None)

    return Path(pattern, ("remove",), apply)


def copied(pattern: str, source: str) -> Path:
    """A value that may be copied from another place of the resource; maps are merged."""

    def apply(document: Document, path: list[str], operation: str, given: str | None) -> None:
        holder = _holder(document, path[:-1])
        found = _at(document, source)
        known = holder.get(path[-1])
        holder[path[-1]] = {**known, **found} if isinstance(found, dict) and isinstance(known, dict) else found

    return Path(pattern, ("copy",), apply, source)


def _at(document: Mapping[str, Any], pointer: str) -> Any:
    """Return what is at a place in a document. Raises BadRequestException where there is nothing."""
    found: Any = document
    for step in steps(pointer):
        found = found.get(step) if isinstance(found, dict) else None
    if found is None:
        raise errors.bad_request(f"Invalid patch path '{pointer}' specified for op 'copy': there is nothing")
    return found


def steps(pointer: str) -> list[str]:
    """Return the names of a JSON pointer."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.removeprefix("/").split("/")]


def _matches(pattern: str, names: list[str]) -> bool:
    wanted = pattern.removeprefix("/").split("/")
    if "**" in wanted:
        before, after = wanted[: wanted.index("**")], wanted[wanted.index("**") + 1 :]
        if len(names) <= len(before) + len(after):
            return False
        names = [*names[: len(before)], "", *names[len(names) - len(after) :]]
        wanted = [*before, "*", *after]
    return len(wanted) == len(names) and all(each in ("*", name) for each, name in zip(wanted, names, strict=True))


def _invalid(pointer: str, operation: str, paths: Iterable[Path]) -> AwsError:
    patterns = dict.fromkeys(path.pattern for path in paths if operation in path.operations)
    allowed = ", ".join(each.replace("**", "{resourcePath}/{httpMethod}").replace("*", "{name}") for each in patterns)
    # Both spaces are AWS's.
    return errors.bad_request(
        f"Invalid patch path  '{pointer}' specified for op '{operation}'. Must be one of: [{allowed}]"
    )


def patched(document: Document, operations: Iterable[Mapping[str, str]] | None, paths: Iterable[Path]) -> Document:
    """Return a document with the changes that operations say. Raises BadRequestException."""
    result = copy.deepcopy(document)
    for number_, given in enumerate(operations or ()):
        if number_ == _MOST:
            raise errors.bad_request(f"At most {_MOST} patch operations are allowed")
        operation, pointer = given.get("op", ""), given.get("path", "")
        if operation not in ("add", "remove", "replace", "copy"):
            raise errors.bad_request(f"Invalid patch operation specified: {operation}")
        if not pointer.startswith("/"):
            raise _invalid(pointer, operation, paths)
        names = steps(pointer)
        matching = [
            path
            for path in paths
            if operation in path.operations
            and _matches(path.pattern, names)
            and path.source == (given.get("from") or "" if operation == "copy" else "")
        ]
        if not matching:
            raise _invalid(pointer, operation, paths)
        # What is named literally goes before what is any name.
        chosen = min(matching, key=lambda path: path.pattern.count("*"))
        chosen.apply(result, names, operation, given.get("value"))
    return result
