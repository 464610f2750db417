"""The names of regions, as notifications have them."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files


@cache
def _names() -> dict[str, str]:
    text = files("botocore").joinpath("data", "partitions.json").read_text("utf-8")
    return {
        region: described["description"]
        for partition in json.loads(text)["partitions"]
        for region, described in partition["regions"].items()
    }


def name_of(region: str) -> str:
    """Return a region's name: `US East (N. Virginia)`; its id where it has none."""
    return _names().get(region, region)
