"""The placeholders of a request's expressions: ExpressionAttributeNames and ExpressionAttributeValues."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import Reworded, validation
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem
from cloudlet.services.dynamodb.expressions.reserved import RESERVED
from cloudlet.services.dynamodb.expressions.syntax import PathSyntax
from cloudlet.services.dynamodb.item_data.values import Path, Value, check_name, checked_value

_NAME: Final = re.compile(r"#[A-Za-z0-9_]+").fullmatch
_VALUE: Final = re.compile(r":[A-Za-z0-9_]+").fullmatch
_LONGEST_PLACEHOLDER: Final = 255


class Substitutions:
    """What `#names` and `:values` stand for, and which of them were used.

    Raises AwsError where they are not what AWS admits.
    """

    def __init__(
        self,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Value] | None = None,
        *,
        newer_words: bool = False,
    ) -> None:
        self._names = {} if names is None else _checked_names(names)
        self._values = {} if values is None else _checked_values(values, newer_words)
        self._unused_names = set(self._names)
        self._unused_values = set(self._values)

    def path(self, syntax: PathSyntax) -> Path:
        """Return the path that is meant. Raises ExpressionProblem."""
        return tuple([self.name(element) if isinstance(element, str) else element for element in syntax.elements])

    def name(self, written: str) -> str:
        """Return the attribute's name that a name or `#name` means. Raises ExpressionProblem."""
        if not written.startswith("#"):
            if written.upper() in RESERVED:
                raise ExpressionProblem(f"Attribute name is a reserved keyword; reserved keyword: {written}")
            return written
        try:
            name = self._names[written]
        except KeyError:
            raise ExpressionProblem(
                f"An expression attribute name used in the document path is not defined; attribute name: {written}"
            ) from None
        self._unused_names.discard(written)
        return name

    def value(self, written: str) -> Value:
        """Return the value of a `:value`. Raises ExpressionProblem."""
        try:
            value = self._values[written]
        except KeyError:
            raise ExpressionProblem(
                f"An expression attribute value used in expression is not defined; attribute value: {written}"
            ) from None
        self._unused_values.discard(written)
        return value

    def check_used(self) -> None:
        """Raise AwsError where one was given that no expression uses."""
        for parameter, unused in (
            ("ExpressionAttributeNames", self._unused_names),
            ("ExpressionAttributeValues", self._unused_values),
        ):
            if unused:
                raise validation(
                    f"Value provided in {parameter} unused in expressions: keys: {{{', '.join(sorted(unused))}}}"
                )


def _checked_names(names: Mapping[str, str]) -> Mapping[str, str]:
    if not names:
        raise validation("ExpressionAttributeNames must not be empty")
    for placeholder, name in names.items():
        if not _NAME(placeholder) or len(placeholder) > _LONGEST_PLACEHOLDER:
            raise validation(f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{placeholder}"')
        try:
            check_name(name)
        except AwsError as error:
            raise validation(
                f"ExpressionAttributeNames contains invalid value: {error.message} for key {placeholder}"
            ) from None
    return names


def _checked_values(values: Mapping[str, Value], newer_words: bool) -> Mapping[str, Value]:
    if not values:
        raise validation("ExpressionAttributeValues must not be empty")
    checked = {}
    for placeholder, value in values.items():
        if not _VALUE(placeholder) or len(placeholder) > _LONGEST_PLACEHOLDER:
            raise validation(f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{placeholder}"')
        try:
            checked[placeholder] = checked_value(value)
        except AwsError as error:
            if newer_words:
                raise
            reason = error.older if isinstance(error, Reworded) else error.message
            raise validation(
                f"ExpressionAttributeValues contains invalid value: {reason} for key {placeholder}"
            ) from None
    return checked
