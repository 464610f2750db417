"""The settings of an account's SMS messages (API reference, SetSMSAttributes).

What they ask for is what a carrier would do; of Cloudlet's, whoever writes a message down shows the sender and the
type that apply to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from cloudlet.core import Arn, AwsError, Subspace, Transaction
from cloudlet.services.sns import errors

_SETTINGS = Subspace("sms-settings")
_DEFAULTS = {"MonthlySpendLimit": "1"}
_TYPES = ("Promotional", "Transactional")
_SENDER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9-]{1,11}")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, str]).decode


async def of_account(tx: Transaction, account: str, region: str) -> dict[str, str]:
    """Return an account's settings, by AWS's names, with their defaults."""
    raw = await tx.get(_SETTINGS.key(account, region))
    return dict(_DEFAULTS) if raw is None else {**_DEFAULTS, **_decode(raw)}


async def change(tx: Transaction, account: str, region: str, changes: Mapping[str, str]) -> None:
    """Change settings; setting one to nothing removes it. Raises AwsError for what AWS does not admit."""
    settings = await of_account(tx, account, region)
    for name, value in changes.items():
        _check(name, value)
        if value:
            settings[name] = value
        else:
            settings.pop(name, None)
    tx.put(_SETTINGS.key(account, region), _encode(settings))


def _check(name: str, value: str) -> None:
    match name:
        case "DefaultSMSType":
            valid = value in ("", *_TYPES)
        case "DefaultSenderID":
            valid = not value or _SENDER.fullmatch(value) is not None
        case "MonthlySpendLimit":
            valid = value.isascii() and value.isdecimal() and len(value) < 10
        case "DeliveryStatusSuccessSamplingRate":
            valid = not value or (value.isascii() and value.isdecimal() and len(value) <= 3 and int(value) <= 100)
        case "DeliveryStatusIAMRole":
            valid = not value or _is_role(value)
        case "UsageReportS3Bucket":
            raise errors.not_built("the SMS attribute UsageReportS3Bucket: there are no usage reports")
        case _:
            raise AwsError("InvalidParameter", f"{name} is not a valid attribute")
    if not valid:
        raise AwsError("InvalidParameter", name)


def _is_role(text: str) -> bool:
    try:
        arn = Arn.parse(text)
    except ValueError:
        return False
    return arn.service == "iam" and arn.resource.startswith("role/")
