"""The settings of Parameter Store: the default tier, and a higher throughput.

API reference, "UpdateServiceSetting". Nothing is throttled here, so that the throughput is only written down.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.ssm.errors import ValidationError

_DEFAULT_TIER: Final = "/ssm/parameter-store/default-parameter-tier"
_VALUES: Final = {
    _DEFAULT_TIER: ("Standard", "Advanced", "Intelligent-Tiering"),
    "/ssm/parameter-store/high-throughput-enabled": ("false", "true"),
}
"""The values that settings can have, the default first."""
_SETTINGS: Final = Subspace("setting")


class Setting(msgspec.Struct, frozen=True):
    """A setting that somebody has changed; `modified` is in seconds since the epoch."""

    value: str
    modified: float
    user: str


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Setting).decode


def parse_id(text: str) -> str:
    """Return the id of a setting, which may be given as an ARN. Raises ServiceSettingNotFound."""
    setting = text.partition(":servicesetting")[2] if text.startswith("arn:") else text
    if setting not in _VALUES:
        message = f"Setting {text} not found. Cloudlet has the settings of Parameter Store only."
        raise AwsError("ServiceSettingNotFound", message)
    return setting


def save(ctx: Context, tx: Transaction, setting: str, value: str) -> None:
    """Change a setting. Raises ValidationException."""
    if value not in _VALUES[setting]:
        raise ValidationError(f"Invalid value {value} for the setting {setting}: it is one of {_VALUES[setting]}.")
    changed = Setting(value, ctx.now(), ctx.principal.arn)
    tx.put(_SETTINGS.key(ctx.account, ctx.region, setting), _encode(changed))


def reset(ctx: Context, tx: Transaction, setting: str) -> None:
    """Give a setting back its default."""
    tx.delete(_SETTINGS.key(ctx.account, ctx.region, setting))


async def get_default_tier(tx: Transaction, account: str, region: str) -> str:
    """Return the tier of parameters for which none is asked for."""
    found = await _find(tx, account, region, _DEFAULT_TIER)
    return _VALUES[_DEFAULT_TIER][0] if found is None else found.value


async def to_api(ctx: Context, tx: Transaction, setting: str) -> dict[str, Any]:
    """Return a setting as AWS's API has it."""
    found = await _find(tx, ctx.account, ctx.region, setting)
    return {
        "SettingId": setting,
        "SettingValue": _VALUES[setting][0] if found is None else found.value,
        "LastModifiedDate": None if found is None else found.modified,
        "LastModifiedUser": None if found is None else found.user,
        "ARN": f"arn:{partition_of(ctx.region)}:ssm:{ctx.region}:{ctx.account}:servicesetting{setting}",
        "Status": "Default" if found is None else "Customized",
    }


async def _find(tx: Transaction, account: str, region: str, setting: str) -> Setting | None:
    raw = await tx.get(_SETTINGS.key(account, region, setting))
    return None if raw is None else _decode(raw)
