"""The operations on virtual MFA devices."""

from __future__ import annotations

from base64 import b32encode
from io import BytesIO
from typing import Any

from msgspec.structs import replace

from cloudlet.core import Arn, AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.iam import callers, errors, mfa_devices, paging, tag_declarations
from cloudlet.services.iam.api_users import show as show_user
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import USERS
from cloudlet.services.iam.mfa_device_record import MfaDevice
from cloudlet.services.iam.mfa_devices import MFA_DEVICES

_SEED_BYTES = 40
_MAX_NAME_CHARACTERS = 226
"""CloudFormation's schema of AWS::IAM::VirtualMFADevice; the API's model has no limit."""


@service.direct("CreateVirtualMFADevice")
async def create_virtual_mfa_device(ctx: Context, params: Params) -> Result:
    if len(params["VirtualMFADeviceName"]) > _MAX_NAME_CHARACTERS:
        raise errors.validation(
            "1 validation error detected: Value at 'virtualMFADeviceName' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_MAX_NAME_CHARACTERS}"
        )
    seed = random_bytes(_SEED_BYTES)
    secret = b32encode(seed)
    picture = await run_in_worker(
        ctx.account, _draw, f"{params['VirtualMFADeviceName']}@{ctx.account}", secret.decode()
    )

    async def create(tx: Transaction) -> Result:
        made = MFA_DEVICES.make(ctx, params, seed=b"")
        device = replace(made, seed=ctx.block.cloud.vault.encrypt(seed, made.arn))
        await MFA_DEVICES.add(tx, device)
        shown = {
            "SerialNumber": device.arn,
            "Base32StringSeed": secret,
            "QRCodePNG": picture,
            "Tags": tags.to_list(device.tags) or None,
        }
        return {"VirtualMFADevice": shown}

    return await ctx.transact(create)


@service.operation("ListVirtualMFADevices")
async def list_virtual_mfa_devices(ctx: Context, tx: Transaction, params: Params) -> Result:
    status = params.get("AssignmentStatus") or "Any"

    def show(device: MfaDevice) -> dict[str, Any] | None:
        if status != "Any" and bool(device.user) != (status == "Assigned"):
            return None
        return {"SerialNumber": device.arn, "EnableDate": device.enabled or None, "User": device.user}

    page = await paging.list_kind(ctx, tx, params, MFA_DEVICES, show)
    for shown in page["VirtualMFADevices"]:
        user = await USERS.find(tx, ctx.account, shown["User"]) if shown["User"] else None
        shown["User"] = None if user is None else show_user(user)
    return page


@service.operation("EnableMFADevice")
async def enable_mfa_device(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await USERS.get_named(ctx, tx, params)
    device = await _get(ctx, tx, params)
    if device.user:
        raise errors.already_exists("MFA Device is already in use.")
    if len(await mfa_devices.list_devices(tx, ctx.account, user.key)) >= mfa_devices.MAX_USER_DEVICES:
        raise errors.make_quota_error("MFADevicesPerUser", mfa_devices.MAX_USER_DEVICES)
    device = _set_drift(ctx, device, params)
    mfa_devices.assign(tx, replace(device, enabled=ctx.now()), user.key)
    return {}


@service.operation("ResyncMFADevice")
async def resync_mfa_device(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await USERS.get_named(ctx, tx, params)
    device = await mfa_devices.get_owned(tx, user, params["SerialNumber"])
    MFA_DEVICES.save(tx, _set_drift(ctx, device, params))
    return {}


def _set_drift(ctx: Context, device: MfaDevice, params: Params) -> MfaDevice:
    """Return a device that has given the codes of a request. Raises AwsError where they are not its own."""
    changed = mfa_devices.set_drift(ctx, device, params["AuthenticationCode1"], params["AuthenticationCode2"])
    if changed is None:
        raise AwsError("InvalidAuthenticationCode", "Authentication code for device is not valid.")
    return changed


@service.operation("DeactivateMFADevice")
async def deactivate_mfa_device(ctx: Context, tx: Transaction, params: Params) -> Result:
    device = await mfa_devices.get_owned(tx, await callers.get_no_root(ctx, tx, params), params["SerialNumber"])
    mfa_devices.assign(tx, replace(device, enabled=0.0), "")
    return {}


@service.operation("DeleteVirtualMFADevice")
async def delete_virtual_mfa_device(ctx: Context, tx: Transaction, params: Params) -> Result:
    device = await _get(ctx, tx, params)
    if device.user:
        raise errors.delete_conflict("MFA VirtualDevice in use. Must deactivate first.")
    MFA_DEVICES.remove(tx, device)
    return {}


@service.operation("ListMFADevices")
async def list_mfa_devices(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await callers.get_user(ctx, tx, params)
    devices = [] if user is None else await mfa_devices.list_devices(tx, ctx.account, user.key)
    name = "" if user is None else user.name
    return paging.list_items(params, "MFADevices", {device.key: _show(device, name) for device in devices})


@service.operation("GetMFADevice")
async def get_mfa_device(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await callers.get_no_root(ctx, tx, params)
    return _show(await mfa_devices.get_owned(tx, user, params["SerialNumber"]), user.name)


def _show(device: MfaDevice, user: str) -> dict[str, Any]:
    return {"UserName": user, "SerialNumber": device.arn, "EnableDate": device.enabled}


async def _get(ctx: Context, tx: Transaction, params: Params) -> MfaDevice:
    return await mfa_devices.get(tx, ctx.account, params["SerialNumber"])


tag_declarations.declare("MFADevice", MFA_DEVICES, _get)


@service.operation("VerifyMfaCode")
async def verify_mfa_code(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Take a code of a user's device, for STS. Each code is good once."""
    serial_number, user = params["SerialNumber"], Arn.parse(params["UserArn"])
    device = await mfa_devices.find(tx, user.account, serial_number)
    kind, _, name = user.resource.partition("/")
    if device is None or kind != "user" or device.user != name.rpartition("/")[2].lower():
        return {"IsValid": False}
    taken = mfa_devices.take_code(ctx, device, params["TokenCode"])
    if taken is not None:
        MFA_DEVICES.save(tx, taken)
    return {"IsValid": taken is not None}


def _draw(label: str, secret: str) -> bytes:
    """Return a QR code, as PNG, that brings a device into a user's program."""
    # Imported late: few need it.
    import segno

    picture = BytesIO()
    segno.make_qr(f"otpauth://totp/{label}?secret={secret}").save(picture, kind="png", scale=4)
    return picture.getvalue()
