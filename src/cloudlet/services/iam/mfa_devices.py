"""Virtual MFA devices: how they are found, whose they are, which codes they give.

Codes are compared with the machine's own clock, as the user's program goes by no other one.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.services.iam import errors, limits, totp
from cloudlet.services.iam.deletion_checks import add_user_check
from cloudlet.services.iam.entities import Kind
from cloudlet.services.iam.entity_record import User
from cloudlet.services.iam.mfa_device_record import MfaDevice

MFA_DEVICES: Final = Kind(
    MfaDevice,
    "VirtualMFADeviceName",
    "",
    limits.MAX_USERS,
    "VirtualMFADevicesPerAccount",
    True,
    taken="MFADevice entity at the same path and name already exists.",
)
MAX_USER_DEVICES: Final = 8
_OF_USERS: Final = Subspace("mfa-of-user")
_ASSIGNED: Final = Subspace("mfa-count")
_TOLERATED_STEPS: Final = 1
_SYNC_STEPS: Final = 120
"""The furthest that the clock of a device may be off: an hour."""


async def find(tx: Transaction, account: str, serial_number: str) -> MfaDevice | None:
    """Return the device with a serial number, which is its ARN, or None."""
    found = await MFA_DEVICES.find(tx, account, serial_number.rpartition("/")[2])
    return found if found is not None and found.arn == serial_number else None


async def get(tx: Transaction, account: str, serial_number: str) -> MfaDevice:
    """Return the device with a serial number. Raises AwsError where there is none."""
    found = await find(tx, account, serial_number)
    if found is None:
        raise errors.no_such_entity(f"VirtualMFADevice with serial number {serial_number} doesn't exist.")
    return found


async def get_owned(tx: Transaction, user: User, serial_number: str) -> MfaDevice:
    """Return the device with a serial number, which a user has. Raises AwsError where it has none."""
    found = await find(tx, user.account, serial_number)
    if found is None or found.user != user.key:
        raise errors.no_such_entity(f"MFA Device invalid for user {user.name}.")
    return found


async def list_devices(tx: Transaction, account: str, user: str) -> list[MfaDevice]:
    """Return the devices of a user, by its key, in the order of names."""
    space = _OF_USERS.sub(account, user)
    rows = await tx.range(space.begin, space.end, limit=MAX_USER_DEVICES)
    found = [await MFA_DEVICES.find(tx, account, space.unpack(key)[0]) for key, _ in rows]
    return [device for device in found if device is not None]


def assign(tx: Transaction, device: MfaDevice, user: str) -> None:
    """Give a device to a user, by its key, or to nobody."""
    if device.user:
        tx.delete(_OF_USERS.key(device.account, device.user, device.key))
    if user:
        tx.put(_OF_USERS.key(device.account, user, device.key), b"")
    tx.add(_ASSIGNED.key(device.account), bool(user) - bool(device.user))
    MFA_DEVICES.save(tx, replace(device, user=user))


async def count_assigned(tx: Transaction, account: str) -> int:
    """Return how many devices of an account belong to users."""
    return await tx.counter(_ASSIGNED.key(account))


async def move(tx: Transaction, user: User, renamed: User) -> None:
    """Give the devices of a user to it under its other name."""
    for device in await list_devices(tx, user.account, user.key):
        assign(tx, device, renamed.key)


def set_drift(ctx: Context, device: MfaDevice, first: str, second: str) -> MfaDevice | None:
    """Return a device with the drift that two consecutive codes of its tell, or None."""
    now = totp.get_step(wall_time())
    step = totp.find_step(_decrypt_seed(ctx, device), (first, second), now, _SYNC_STEPS)
    if step is None:
        return None
    drift = step - now
    return replace(device, drift=0 if abs(drift) <= _TOLERATED_STEPS else drift, last_step=step)


def take_code(ctx: Context, device: MfaDevice, code: str) -> MfaDevice | None:
    """Return a device whose code was taken, or None for a wrong or used one."""
    around = totp.get_step(wall_time()) + device.drift
    step = totp.find_step(_decrypt_seed(ctx, device), (code,), around, _TOLERATED_STEPS)
    return None if step is None or step <= device.last_step else replace(device, last_step=step)


def _decrypt_seed(ctx: Context, device: MfaDevice) -> bytes:
    return ctx.block.cloud.vault.decrypt(device.seed, device.arn)


@add_user_check
async def check_user(tx: Transaction, user: User) -> None:
    """Raise AwsError for a user that has a device."""
    if await list_devices(tx, user.account, user.key):
        raise errors.delete_conflict("Cannot delete entity, must delete MFA device first.")
