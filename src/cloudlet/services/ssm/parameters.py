"""Parameters in the store. Keys have the levels of names: a path is a range."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Subspace, Transaction
from cloudlet.services.ssm import change_events, policy_timers
from cloudlet.services.ssm.errors import ParameterNotFound, VersionNotFound
from cloudlet.services.ssm.names import Levels, Reference, get_levels, make_arn
from cloudlet.services.ssm.parameter_record import Parameter, Version, decode_version, encode
from cloudlet.services.ssm.parameter_record import decode as decode_parameter

MAX_VERSIONS: Final = 100
_PARAMETERS: Final = Subspace("parameter")
_VERSIONS: Final = Subspace("version")
_COUNTS: Final = Subspace("count")

decode = decode_parameter


def get_arn(parameter: Parameter) -> str:
    """Return the ARN of a parameter."""
    return make_arn(parameter.account, parameter.region, parameter.name)


def get_path_space(account: str, region: str, levels: Levels) -> Subspace:
    """Return the subspace of the parameters at and below a path."""
    return _PARAMETERS.sub(account, region, *levels)


def get_version_space(parameter: Parameter) -> Subspace:
    """Return the subspace of a parameter's versions, by number."""
    return _VERSIONS.sub(parameter.account, parameter.region, "/".join(get_levels(parameter.name)))


async def find(tx: Transaction, account: str, region: str, name: str) -> Parameter | None:
    """Return a parameter, or None where there is none."""
    raw = await tx.get(_PARAMETERS.key(account, region, *get_levels(name)))
    return None if raw is None else decode(raw)


async def get(tx: Transaction, reference: Reference) -> Parameter:
    """Return a parameter. Raises ParameterNotFound."""
    found = await find(tx, reference.account, reference.region, reference.name)
    if found is None:
        raise ParameterNotFound(f"Parameter {reference.name} not found.")
    return found


async def get_version(tx: Transaction, parameter: Parameter, number: int) -> Version:
    """Return a version of a parameter. Raises ParameterVersionNotFound."""
    if number == parameter.latest.number:
        return parameter.latest
    raw = await tx.get(get_version_space(parameter).key(number)) if 0 < number < parameter.latest.number else None
    if raw is None:
        raise VersionNotFound(str(number), parameter.name)
    return decode_version(raw)


async def select_version(tx: Transaction, parameter: Parameter, selector: str) -> Version:
    """Return the version that has a number or a label; the latest without one. Raises ParameterVersionNotFound."""
    if not selector:
        return parameter.latest
    if selector.isdecimal():
        return await get_version(tx, parameter, int(selector))
    if selector not in parameter.labels:
        raise VersionNotFound(selector, parameter.name)
    return await get_version(tx, parameter, parameter.labels[selector])


async def count(tx: Transaction, account: str, region: str, tier: str) -> int:
    """Return how many parameters an account has of a tier."""
    return await tx.counter(_COUNTS.key(account, region, tier))


def save(tx: Transaction, parameter: Parameter) -> None:
    """Write a parameter whose versions are as they were."""
    tx.put(_PARAMETERS.key(parameter.account, parameter.region, *get_levels(parameter.name)), encode(parameter))


def save_version(tx: Transaction, parameter: Parameter) -> None:
    """Write a parameter with its latest version, which is new or has changed."""
    save(tx, parameter)
    tx.put(get_version_space(parameter).key(parameter.latest.number), encode(parameter.latest))


def add_version(tx: Transaction, parameter: Parameter, old: Parameter | None, now: float) -> None:
    """Write a parameter with a new version; the oldest goes where there are too many. EventBridge is told."""
    save_version(tx, parameter)
    tier = parameter.latest.tier
    if old is not None:
        policy_timers.cancel(tx, old)
        dropped = parameter.latest.number - MAX_VERSIONS
        if dropped > 0:
            tx.delete(get_version_space(parameter).key(dropped))
    if old is None or old.latest.tier != tier:
        tx.add(_COUNTS.key(parameter.account, parameter.region, tier), 1)
    if old is not None and old.latest.tier != tier:
        tx.add(_COUNTS.key(parameter.account, parameter.region, old.latest.tier), -1)
    policy_timers.set_all(tx, parameter)
    change_events.add(tx, parameter, "Create" if old is None else "Update", now)


def remove(tx: Transaction, parameter: Parameter, now: float) -> None:
    """Delete a parameter with all that it has. EventBridge is told."""
    tx.delete(_PARAMETERS.key(parameter.account, parameter.region, *get_levels(parameter.name)))
    versions = get_version_space(parameter)
    tx.delete_range(versions.begin, versions.end)
    tx.add(_COUNTS.key(parameter.account, parameter.region, parameter.latest.tier), -1)
    policy_timers.cancel(tx, parameter)
    change_events.add(tx, parameter, "Delete", now)


def to_api(parameter: Parameter, version: Version, value: str) -> dict[str, Any]:
    """Return a version of a parameter as the operations that read values have it."""
    return {
        "Name": parameter.name,
        "Type": version.type,
        "Value": value,
        "Version": version.number,
        "LastModifiedDate": version.modified,
        "ARN": get_arn(parameter),
        "DataType": version.data_type,
    }


def to_metadata(parameter: Parameter, version: Version) -> dict[str, Any]:
    """Return what both DescribeParameters and GetParameterHistory say of a version."""
    return {
        "Name": parameter.name,
        "Type": version.type,
        "KeyId": version.key_id or None,
        "LastModifiedDate": version.modified,
        "LastModifiedUser": version.user,
        "Description": version.description or None,
        "AllowedPattern": version.allowed_pattern or None,
        "Version": version.number,
        "Tier": version.tier,
        "Policies": [
            {
                "PolicyText": policy.text,
                "PolicyType": policy.type,
                "PolicyStatus": "Finished" if policy.is_finished else "Pending",
            }
            for policy in version.policies
        ],
        "DataType": version.data_type,
    }
