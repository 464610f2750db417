"""Parts of Envoy's configuration that stand in many resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.engines.envoy.snapshot import Resource

ADS: Final[Resource] = {"ads": {}, "resource_api_version": "V3"}
"""The source of configuration that comes by the aggregated stream."""


def make_typed(name: str, **members: Any) -> Resource:
    """Return a message whose type is named: `envoy.extensions…`."""
    return {"@type": f"type.googleapis.com/{name}", **members}


def make_extension(name: str, message: str, **members: Any) -> Resource:
    """Return an extension with its configuration."""
    return {"name": name, "typed_config": make_typed(message, **members)}


def make_address(address: str, port: int, **more: Any) -> Resource:
    """Return the address of a socket."""
    return {"socket_address": {"address": address, "port_value": port, **more}}


def to_duration(duration: Mapping[str, Any]) -> str:
    """Return a duration of App Mesh as Envoy has it."""
    milliseconds = duration["value"] * (1 if duration["unit"] == "ms" else 1000)
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}s"
