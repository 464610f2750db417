"""The resource types that all blocks declare, and AWS's schemas of them."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

import cloudlet
from cloudlet.core.aws.resources.declaration import ResourceType
from cloudlet.core.aws.resources.reading_declaration import Reading
from cloudlet.core.aws.resources.resource_schema import Schema

_SCHEMAS: Final = Path(__file__).parent / "schemas.zip"


@cache
def load_resource_types() -> Mapping[str, ResourceType]:
    """Return the resource types of all blocks, by name."""
    folder = Path(cloudlet.__file__).parent / "services"
    declared: dict[str, ResourceType] = {}
    for path in sorted(folder.glob("*/cloudformation.py")):
        module = importlib.import_module(f"cloudlet.services.{path.parent.name}.cloudformation")
        types: Iterable[ResourceType] = module.RESOURCE_TYPES
        declared.update((one.name, one) for one in types)
    return declared


@cache
def load_readings() -> Mapping[str, Reading]:
    """Return how resources are read, where blocks declare more than `read`."""
    folder = Path(cloudlet.__file__).parent / "services"
    declared: dict[str, Reading] = {}
    for path in sorted(folder.glob("*/cloudformation_reading.py")):
        module = importlib.import_module(f"cloudlet.services.{path.parent.name}.cloudformation_reading")
        declared.update(module.READINGS)
    return declared


@cache
def load_schema(name: str) -> Schema:
    """Return the schema of a resource type that AWS has. Raises KeyError."""
    with zipfile.ZipFile(_SCHEMAS) as schemas:
        return Schema(name, msgspec.json.decode(schemas.read(name)))
