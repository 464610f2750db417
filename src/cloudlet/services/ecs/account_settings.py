"""Account settings: what an account's principals have chosen, and what holds without a choice.

Developer guide, "Access Amazon ECS features with account settings". Those that would change nothing have one value.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.ecs import errors


class Setting(NamedTuple):
    """A setting: its default, the values that are honoured, and those that AWS has besides."""

    default: str
    honoured: tuple[str, ...]
    others: tuple[str, ...] = ()


SETTINGS: Final = {
    "serviceLongArnFormat": Setting("enabled", ("enabled",), ("disabled",)),
    "taskLongArnFormat": Setting("enabled", ("enabled",), ("disabled",)),
    "containerInstanceLongArnFormat": Setting("enabled", ("enabled",), ("disabled",)),
    "awsvpcTrunking": Setting("disabled", ("disabled",), ("enabled",)),
    "containerInsights": Setting("disabled", ("disabled", "enabled", "enhanced")),
    "fargateFIPSMode": Setting("disabled", ("disabled",), ("enabled",)),
    "tagResourceAuthorization": Setting("off", ("off",), ("on",)),
    "fargateTaskRetirementWaitPeriod": Setting("7", ("7",), ("0", "14")),
    "guardDutyActivate": Setting("off", (), ("on", "off")),
    "defaultLogDriverMode": Setting("non-blocking", ("blocking", "non-blocking")),
    "fargateEventWindows": Setting("disabled", ("disabled",), ("enabled",)),
}

DEFAULT: Final = ""
"""The principal whose settings hold for all that have none of their own."""

_SETTINGS = Subspace("account-setting")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, str]).decode


def check(name: str, value: str) -> None:
    """Raise InvalidParameterException unless a setting may have a value, ClientException where it would do nothing."""
    setting = SETTINGS[name]
    if value in setting.honoured:
        return
    if value in setting.others:
        raise errors.NotBuilt(f"the account setting {name} with the value {value}")
    raise errors.InvalidParameter("The specified account setting value is not valid.")


async def load(tx: Transaction, account: str, region: str, principal: str) -> dict[str, str]:
    """Return what a principal, or `DEFAULT`, has chosen."""
    raw = await tx.get(_SETTINGS.key(account, region, principal))
    return {} if raw is None else _decode(raw)


def save(tx: Transaction, account: str, region: str, principal: str, chosen: dict[str, str]) -> None:
    """Write what a principal has chosen."""
    key = _SETTINGS.key(account, region, principal)
    if chosen:
        tx.put(key, _encode(chosen))
    else:
        tx.delete(key)


async def load_effective(tx: Transaction, account: str, region: str, principal: str) -> dict[str, str]:
    """Return the value of each setting that holds for a principal."""
    return {
        **{name: setting.default for name, setting in SETTINGS.items()},
        **await load(tx, account, region, DEFAULT),
        **await load(tx, account, region, principal),
    }


async def get_effective(tx: Transaction, account: str, region: str, principal: str, name: str) -> str:
    """Return the value of a setting that holds for a principal."""
    return (await load_effective(tx, account, region, principal))[name]
