"""Virtual MFA devices: real codes by the time, each good once."""

from __future__ import annotations

import time
from base64 import b32decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.iam import totp
from cloudlet.testing.server import Aws
from tests.refused import refused


def _codes(seed: bytes, ahead: int = 0) -> dict[str, str]:
    """Return the code of the step before, and of this one, by a clock that is ahead by some steps."""
    secret, step = b32decode(seed), totp.get_step(time.time()) + ahead
    return {
        "AuthenticationCode1": totp.make_code(secret, step - 1),
        "AuthenticationCode2": totp.make_code(secret, step),
    }


def _enabled(iam: Any, user: str = "ann", device: str = "phone") -> tuple[str, bytes]:
    """Enable a new device for a new user; return its serial number and its seed."""
    iam.create_user(UserName=user)
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=device)["VirtualMFADevice"]
    iam.enable_mfa_device(UserName=user, SerialNumber=made["SerialNumber"], **_codes(made["Base32StringSeed"]))
    return made["SerialNumber"], made["Base32StringSeed"]


@pytest.mark.parametrize(
    ("at", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(at: int, code: str) -> None:
    assert totp.make_code(b"12345678901234567890", totp.get_step(at)) == code


def test_a_device_has_a_seed_and_a_picture_of_it_once(aws: Aws, iam: Any) -> None:
    made = iam.create_virtual_mfa_device(
        VirtualMFADeviceName="phone", Path="/a/", Tags=[{"Key": "team", "Value": "x"}]
    )["VirtualMFADevice"]
    assert made["SerialNumber"] == f"arn:aws:iam::{aws.account}:mfa/a/phone"
    assert len(b32decode(made["Base32StringSeed"])) == 40
    assert made["QRCodePNG"].startswith(b"\x89PNG\r\n")
    assert made["Tags"] == [{"Key": "team", "Value": "x"}]
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == [{"SerialNumber": made["SerialNumber"]}]
    assert refused(iam.create_virtual_mfa_device, VirtualMFADeviceName="phone") == (
        "EntityAlreadyExists",
        "MFADevice entity at the same path and name already exists.",
    )


def test_two_consecutive_codes_enable_a_device(iam: Any) -> None:
    serial, seed = _enabled(iam)
    (listed,) = iam.list_mfa_devices(UserName="ann")["MFADevices"]
    assert (listed["UserName"], listed["SerialNumber"]) == ("ann", serial)
    (virtual,) = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert virtual["User"]["UserName"] == "ann"
    assert virtual["EnableDate"] == listed["EnableDate"]
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"] == []
    got = iam.get_mfa_device(UserName="ann", SerialNumber=serial)
    assert (got["UserName"], got["SerialNumber"], got["EnableDate"]) == ("ann", serial, listed["EnableDate"])
    assert refused(iam.enable_mfa_device, UserName="ann", SerialNumber=serial, **_codes(seed)) == (
        "EntityAlreadyExists",
        "MFA Device is already in use.",
    )


def test_codes_that_are_not_consecutive_or_of_long_ago_enable_nothing(iam: Any) -> None:
    iam.create_user(UserName="ann")
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    codes = _codes(made["Base32StringSeed"])
    same = dict.fromkeys(codes, codes["AuthenticationCode1"])
    backwards = dict(zip(codes, reversed(codes.values()), strict=True))
    for wrong in (same, backwards, _codes(made["Base32StringSeed"], ahead=-10_000)):
        assert refused(iam.enable_mfa_device, UserName="ann", SerialNumber=made["SerialNumber"], **wrong) == (
            "InvalidAuthenticationCode",
            "Authentication code for device is not valid.",
        )
    assert iam.list_mfa_devices(UserName="ann")["MFADevices"] == []


def test_a_device_whose_clock_is_off_is_synchronised(iam: Any) -> None:
    serial, seed = _enabled(iam)
    iam.resync_mfa_device(UserName="ann", SerialNumber=serial, **_codes(seed, ahead=20))
    assert refused(iam.resync_mfa_device, UserName="ann", SerialNumber=serial, **_codes(seed, ahead=1000))[0] == (
        "InvalidAuthenticationCode"
    )


def test_a_device_is_deactivated_before_it_is_deleted(iam: Any) -> None:
    serial, _ = _enabled(iam)
    assert refused(iam.delete_virtual_mfa_device, SerialNumber=serial) == (
        "DeleteConflict",
        "MFA VirtualDevice in use. Must deactivate first.",
    )
    assert refused(iam.delete_user, UserName="ann")[0] == "DeleteConflict"
    iam.deactivate_mfa_device(UserName="ann", SerialNumber=serial)
    assert iam.list_mfa_devices(UserName="ann")["MFADevices"] == []
    iam.delete_virtual_mfa_device(SerialNumber=serial)
    assert refused(iam.delete_virtual_mfa_device, SerialNumber=serial) == (
        "NoSuchEntity",
        f"VirtualMFADevice with serial number {serial} doesn't exist.",
    )
    iam.delete_user(UserName="ann")


def test_a_device_belongs_to_one_user_who_may_be_renamed(iam: Any) -> None:
    serial, seed = _enabled(iam)
    iam.create_user(UserName="beth")
    for call in (iam.get_mfa_device, iam.deactivate_mfa_device):
        assert refused(call, UserName="beth", SerialNumber=serial) == (
            "NoSuchEntity",
            "MFA Device invalid for user beth.",
        )
    iam.update_user(UserName="ann", NewUserName="carol")
    assert iam.list_mfa_devices(UserName="carol")["MFADevices"][0]["SerialNumber"] == serial
    iam.resync_mfa_device(UserName="carol", SerialNumber=serial, **_codes(seed))


def test_a_user_has_eight_devices_at_most(iam: Any) -> None:
    _enabled(iam, device="0")
    for number in range(1, 9):
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=str(number))["VirtualMFADevice"]
        params = {"UserName": "ann", "SerialNumber": made["SerialNumber"], **_codes(made["Base32StringSeed"])}
        if number < 8:
            iam.enable_mfa_device(**params)
    assert refused(iam.enable_mfa_device, **params) == (
        "LimitExceeded",
        "Cannot exceed quota for MFADevicesPerUser: 8",
    )
    pages = iam.get_paginator("list_mfa_devices").paginate(UserName="ann", PaginationConfig={"PageSize": 3})
    assert [len(page["MFADevices"]) for page in pages] == [3, 3, 2]


def test_a_name_that_is_too_long(iam: Any) -> None:
    iam.create_virtual_mfa_device(VirtualMFADeviceName="a" * 226)
    code, message = refused(iam.create_virtual_mfa_device, VirtualMFADeviceName="a" * 227)
    assert (code, message.endswith("length less than or equal to 226")) == ("ValidationError", True)


def test_a_device_has_tags(iam: Any) -> None:
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]["SerialNumber"]
    iam.tag_mfa_device(SerialNumber=serial, Tags=[{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}])
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == [
        {"Key": "a", "Value": "2"},
        {"Key": "b", "Value": "1"},
    ]
    iam.untag_mfa_device(SerialNumber=serial, TagKeys=["a"])
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == [{"Key": "b", "Value": "1"}]


@given(st.binary(min_size=20, max_size=40), st.integers(10_000, 10**9), st.integers(-50, 50))
def test_two_codes_tell_by_how_much_a_clock_is_off(seed: bytes, now: int, ahead: int) -> None:
    codes = totp.make_code(seed, now + ahead - 1), totp.make_code(seed, now + ahead)
    found = totp.find_step(seed, codes, now, window=40)
    assert found == (now + ahead if abs(ahead) <= 40 else None)
