"""The public parameters on regions and services: `/aws/service/global-infrastructure`.

Regions and endpoints are those of botocore's data, services the blocks that there are. User guide, "Calling public
parameters for AWS services, Regions, endpoints …".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from cloudlet.core import Context
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.ssm.errors import ParameterNotFound, VersionNotFound
from cloudlet.services.ssm.names import Levels, Reference, get_levels, make_arn
from cloudlet.wire.cache import botocore_folder
from cloudlet.wire.catalog import catalog

_ROOT: Final = "/aws/service/global-infrastructure"
_PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov")


async def read(ctx: Context, reference: Reference) -> dict[str, Any]:
    """Return a public parameter as AWS's API has it. Raises ParameterNotFound."""
    value = (await _load(ctx)).get(reference.name)
    if value is None:
        raise ParameterNotFound
    if reference.selector not in ("", "1"):
        raise VersionNotFound(reference.selector, reference.name)
    return _describe(ctx, reference.name, value)


async def list_below(ctx: Context, levels: Levels, *, is_recursive: bool) -> list[dict[str, Any]]:
    """Return the public parameters below a path, in the order of their names."""
    path = f"/{'/'.join(levels)}/"
    return [
        _describe(ctx, name, value)
        for name, value in (await _load(ctx)).items()
        if name.startswith(path) and (is_recursive or "/" not in name[len(path) :])
    ]


def is_public(levels: Levels) -> bool:
    """Whether a path is one of public parameters."""
    return levels[:2] == ("aws", "service")


def _describe(ctx: Context, name: str, value: str) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "String",
        "Value": value,
        "Version": 1,
        "ARN": make_arn("", ctx.region, name),
        "DataType": "text",
    }


async def _load(ctx: Context) -> dict[str, str]:
    """Return all public parameters, by name, in order."""
    cloud = ctx.block.cloud
    return await run_in_worker(ctx.account, _build, tuple(name for name in cloud.states() if cloud.has(name)))


@lru_cache(1)
def _build(services: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    data = msgspec.json.decode((botocore_folder() / "data/endpoints.json").read_bytes())
    for partition in data["partitions"]:
        if partition["partition"] in _PARTITIONS:
            found.update(_describe_partition(partition, services))
    return dict(sorted(found.items(), key=lambda each: get_levels(each[0])))


def _describe_partition(partition: dict[str, Any], services: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for region, facts in partition["regions"].items():
        place = f"{_ROOT}/regions/{region}"
        yield place, region
        yield f"{place}/domain", partition["dnsSuffix"]
        yield f"{place}/longName", facts["description"]
        yield f"{place}/partition", partition["partition"]
    for service in services:
        yield f"{_ROOT}/services/{service}", service
        for region, endpoint in _list_endpoints(partition, catalog()[service].endpoint_prefix):
            in_region = f"{_ROOT}/regions/{region}/services/{service}"
            of_service = f"{_ROOT}/services/{service}/regions/{region}"
            yield in_region, service
            yield of_service, region
            yield f"{in_region}/endpoint", endpoint
            yield f"{of_service}/endpoint", endpoint


def _list_endpoints(partition: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Return the regions in which a service is, and its endpoint in each."""
    facts = partition["services"].get(prefix, {})
    endpoints = facts.get("endpoints", {})
    # The endpoint of a service that has one for all regions.
    everywhere = {} if facts.get("isRegionalized", True) else endpoints.get(facts.get("partitionEndpoint"), {})
    for region in partition["regions"]:
        own = everywhere or endpoints.get(region)
        if own is None:
            continue
        template = own.get("hostname") or facts.get("defaults", {}).get("hostname") or partition["defaults"]["hostname"]
        yield region, template.format(service=prefix, region=region, dnsSuffix=partition["dnsSuffix"])
