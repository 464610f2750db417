"""Envoy's protobuf messages, from their published descriptions (`scripts/update_envoy_messages.py`)."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from cloudlet.engines.envoy.snapshot import Kind, Resource

_DESCRIPTIONS: Final = "messages.binpb.gz"


@cache
def _load_pool() -> Any:
    """Return all descriptions. They are read at the first need: it takes some 50 ms."""
    packed = files("cloudlet.engines.envoy").joinpath(_DESCRIPTIONS).read_bytes()
    described = descriptor_pb2.FileDescriptorSet.FromString(gzip.decompress(packed))
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.Add(file)
    return pool


@cache
def find(name: str) -> Any:
    """Return the class of a message by its full name."""
    return message_factory.GetMessageClass(_load_pool().FindMessageTypeByName(name))


def encode(kind: Kind, resource: Resource) -> bytes:
    """Return a resource as Envoy takes it. Raises ValueError where it does not fit its description."""
    try:
        message = json_format.ParseDict(resource, find(kind.value)(), descriptor_pool=_load_pool())
    except json_format.ParseError as error:
        raise ValueError(f"{kind.name.lower()}: {error}") from error
    encoded: bytes = message.SerializeToString(deterministic=True)
    return encoded
