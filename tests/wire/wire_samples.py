"""Random parameters and results of a shape, which satisfy its constraints except for patterns."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from wire_client import botocore_model

from cloudlet.wire.catalog import SERVICES
from cloudlet.wire.model import load
from cloudlet.wire.shapes import Ref, Shape

_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
_TRICKY = _PLAIN + " /:.,;=+&%?#@!*()'\"<>[]{}|\\^`~$äß中😹\t\n"
_DEPTH = 5


class Samples:
    """Makes values; the same seed makes the same ones."""

    def __init__(self, seed: str, *, empty: bool = True) -> None:
        self._random = random.Random(seed)
        self._empty = empty

    def structure(self, shape: Shape, *, chance: float = 0.6, depth: int = 0) -> dict[str, Any]:
        names = list(shape.members)
        if shape.is_union and names:
            names = [self._random.choice(names)]
        required = set(names) if shape.is_union else set(shape.required)
        chosen = {
            name: self.value(shape.members[name], depth + 1)
            for name in names
            if name in required
            or (depth < _DEPTH and self._random.random() < chance and not shape.members[name].shape.is_event_stream)
        }
        if chosen or self._empty or not depth:
            return chosen
        scalars = [name for name in names if shape.members[name].shape.kind not in ("structure", "list", "map")]
        name = self._random.choice(scalars or names) if names else None
        return {name: self.value(shape.members[name], depth + 1)} if name else {}

    def value(self, ref: Ref, depth: int = 0) -> Any:
        shape = ref.shape
        if shape.is_document:
            return {"a": [1, "x", None, True, {"b": 1.5}]}
        kind = shape.kind
        if kind == "structure":
            return self.structure(shape, chance=0.4, depth=depth)
        if kind == "list":
            return [
                self.value(shape.element, depth + 1)
                for _ in range(max(self._count(shape, depth), int(ref.location is not None)))
            ]
        if kind == "map":
            keys = [
                self._key(shape.key, ref.location)
                for _ in range(max(self._count(shape, depth), int(ref.location is not None)))
            ]
            if ref.location == "headers":
                return {key: "".join(self._random.choices(_PLAIN, k=6)) for key in keys}
            return {key: self.value(shape.value, depth + 1) for key in keys}
        if kind == "boolean":
            return self._random.random() < 0.5
        if kind in ("integer", "long"):
            return self._number(shape)
        if kind in ("float", "double"):
            return self._fraction(shape)
        if kind == "timestamp":
            seconds = self._random.randrange(0, 2**32)
            whole = ref.location == "header" or ref.timestamp_format == "rfc822"
            return float(seconds) if whole else seconds + self._random.choice((0, 0.25, 0.123, 0.000001))
        if kind == "blob":
            return self._random.randbytes(self._length(shape))
        return self._string(ref)

    def _count(self, shape: Shape, depth: int) -> int:
        low, high = int(shape.minimum or 0), shape.maximum
        wanted = self._random.choice((0, 1, 2) if self._empty and depth < _DEPTH else (1, 2))
        if depth >= _DEPTH:
            wanted = 1
        return max(low, wanted if high is None else min(wanted, int(high)))

    def _number(self, shape: Shape) -> int:
        span = 2**31 - 1 if shape.kind != "long" else 2**53
        low = int(shape.minimum) if shape.minimum is not None else -span
        high = int(shape.maximum) if shape.maximum is not None else span
        if low > high:
            return low
        return self._random.choice((low, high, self._random.randint(low, high)))

    def _fraction(self, shape: Shape) -> float:
        if shape.minimum is None and shape.maximum is None:
            return self._number(shape) / 4
        low = shape.minimum if shape.minimum is not None else shape.maximum
        high = shape.maximum if shape.maximum is not None else shape.minimum
        return float(self._random.choice((low, high)))

    def _length(self, shape: Shape) -> int:
        low, high = int(shape.minimum or 0), shape.maximum
        wanted = self._random.randint(1, 12)
        return max(low, wanted if high is None else min(wanted, int(high)))

    def _key(self, ref: Ref, location: str | None) -> str:
        if ref.enum:
            return self._random.choice(ref.enum)
        if location is not None:
            return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz", k=8))
        return "".join(self._random.choices(_PLAIN, k=max(1, self._length(ref.shape))))

    def _string(self, ref: Ref) -> str:
        if ref.enum:
            return self._random.choice(ref.enum)
        length = self._length(ref.shape)
        plain = ref.host_label or ref.location in ("header", "headers", "statusCode")
        letters = _PLAIN.replace("_", "") if plain else _TRICKY
        text = "".join(self._random.choices(letters, k=length))
        if ref.location == "uri":
            # Some paths end with the label; an empty one would be another path.
            text = text.strip("/") or "x" * max(1, length)
            text = text.ljust(length, "x") if text.strip() else "x" * max(1, length)
        return text


def as_sent(ref: Ref, value: Any) -> Any:
    """Return a value as it is given to botocore, with datetimes for timestamps."""
    kind = ref.shape.kind
    if ref.shape.is_document:
        return value
    if kind == "structure":
        return {name: as_sent(ref.shape.members[name], item) for name, item in value.items()}
    if kind == "list":
        return [as_sent(ref.shape.element, item) for item in value]
    if kind == "map":
        return {key: as_sent(ref.shape.value, item) for key, item in value.items()}
    if kind == "timestamp":
        return datetime.fromtimestamp(value, UTC)
    return value


def services() -> list[tuple[str, str]]:
    """Return services and protocols: all that botocore speaks too."""
    spoken = ((service, protocol) for service in SERVICES for protocol in load(service).protocols)
    return [each for each in spoken if each != ("sqs", "query")]


def operations(service: str) -> list[str]:
    """Return the operations of a service that botocore has, too."""
    return sorted(load(service).operations.keys() & set(botocore_model(service).operation_names))
