"""The ports at which clients reach blocks in processes of their own: the same ones each time Cloudlet starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from cloudlet.store.folders import replace_file

_FILE = "ports.json"


def remembered(data: Path) -> dict[str, int]:
    """Return the port of each block that has had one; none where that cannot be read."""
    try:
        return msgspec.json.decode((data / _FILE).read_bytes(), type=dict[str, int])
    except (FileNotFoundError, ValueError):
        return {}


def remember(data: Path, ports: Mapping[str, int]) -> None:
    """Keep the ports of blocks for the next start; who has one already keeps that. Raises OSError."""
    known = remembered(data)
    if not ports.keys() <= known.keys():
        replace_file(data / _FILE, msgspec.json.encode({**ports, **known}))
