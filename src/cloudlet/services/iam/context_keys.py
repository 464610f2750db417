"""The condition keys of simulated requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cloudlet.core.aws.policy import Condition, PolicyError, Statement
from cloudlet.services.iam import errors

Keys = Mapping[str, "str | Sequence[str]"]
_VARIABLE: Final = re.compile(r"\$\{([^\s,'}]+)")
_OPERATORS: Final = {
    "numeric": "NumericEquals",
    "boolean": "Bool",
    "ip": "IpAddress",
    "binary": "BinaryEquals",
    "date": "DateEquals",
}
"""Operators that take the values of a type, and no others."""


def list_keys(statements: Iterable[Statement]) -> list[str]:
    """Return the condition keys and policy variables that statements refer to, each once."""
    found: dict[str, str] = {}
    for statement in statements:
        texts = list(statement.resources.written) if statement.resources is not None else []
        for condition in statement.conditions:
            found.setdefault(condition.key.lower(), condition.key)
            texts += condition.values
        for text in texts:
            for key in _VARIABLE.findall(text):
                found.setdefault(key.lower(), key)
    return [key for key in found.values() if key not in ("*", "?", "$")]


def read_context(entries: Iterable[Mapping[str, Any]]) -> Keys:
    """Return condition keys as a request gives them. Raises AwsError for values that are not of their type."""
    keys: dict[str, str | Sequence[str]] = {}
    for entry in entries:
        name, type_ = entry.get("ContextKeyName"), entry.get("ContextKeyType")
        values = entry.get("ContextKeyValues") or []
        if not name or not type_:
            raise errors.invalid_input("A context entry must have ContextKeyName and ContextKeyType.")
        kind = type_.removesuffix("List")
        if type_ == kind and len(values) != 1:
            raise errors.invalid_input(f"The context key {name} of the type {type_} must have one value.")
        if kind in _OPERATORS:
            try:
                Condition(_OPERATORS[kind], name, tuple(values), variables=False)
            except PolicyError as error:
                raise errors.invalid_input(f"Invalid value for the context key {name}: {error.message}") from None
        keys[name] = values[0] if type_ == kind else tuple(values)
    return keys
