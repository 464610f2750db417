"""The placeholders of a request's expressions: ExpressionAttributeNames and ExpressionAttributeValues."""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.services.dynamodb.values import Value


class Substitutions:
    """What `#names` and `:values` stand for, and which of them were used."""

    def __init__(self, names: Mapping[str, str] | None = None, values: Mapping[str, Value] | None = None) -> None:
        self._names = names
        self._values = values

    def check_used(self) -> None:
        """Raise AwsError where one was given that no expression uses."""
        raise NotImplementedError
