"""Operations of users on themselves: passwords, MFA codes and credentials, and that all of it survives a restart."""

from __future__ import annotations

import json
import time
from base64 import b32decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.core.kernel.identity import Principal
from cloudlet.services.iam import totp
from tests.services.iam.local import ACCOUNT, SERVICE, LocalIam

_OLD, _NEW = "Correct-Horse-1", "Battery-Staple-2"


@pytest.fixture
def iam(tmp_path: Path) -> Iterator[LocalIam]:
    local = LocalIam(tmp_path)
    yield local
    local.close()


@pytest.fixture
def ann(iam: LocalIam) -> Principal:
    """A user."""
    return iam.user("ann")


def test_a_user_changes_its_password(iam: LocalIam, ann: Principal) -> None:
    iam.call("CreateLoginProfile", UserName="ann", Password=_OLD, PasswordResetRequired=True)
    assert iam.refused("ChangePassword", ann, OldPassword=_NEW, NewPassword=_NEW) == (
        "AccessDenied",
        "The old password was incorrect.",
    )
    iam.call("ChangePassword", ann, OldPassword=_OLD, NewPassword=_NEW)
    assert iam.call("GetLoginProfile", ann)["LoginProfile"]["PasswordResetRequired"] is False
    assert iam.refused("ChangePassword", ann, OldPassword=_OLD, NewPassword=_NEW)[0] == "AccessDenied"
    assert iam.refused("ChangePassword", ann, OldPassword=_NEW, NewPassword="short")[0] == "PasswordPolicyViolation"
    iam.restart()
    iam.call("ChangePassword", ann, OldPassword=_NEW, NewPassword=_OLD)


def test_a_user_without_a_password_has_none_to_change(iam: LocalIam, ann: Principal) -> None:
    assert iam.refused("ChangePassword", ann, OldPassword=_OLD, NewPassword=_NEW) == (
        "NoSuchEntity",
        "Login Profile for User ann cannot be found.",
    )


def test_passwords_are_not_in_the_store(iam: LocalIam, ann: Principal) -> None:
    iam.call("CreateLoginProfile", UserName="ann", Password=_OLD)

    async def read_all(tx: object) -> bytes:
        return b"".join(raw for _, raw in await tx.range(b"\x00", b"\xff", limit=1000))  # type: ignore[attr-defined]

    assert _OLD.encode() not in iam.transact(read_all)


def test_users_may_change_their_passwords_where_the_policy_says_so(iam: LocalIam, ann: Principal) -> None:
    assert iam.call("ResolvePrincipal", SERVICE, Arn=ann.arn)["Policies"] == {}
    iam.call("UpdateAccountPasswordPolicy", AllowUsersToChangePassword=True)
    (document,) = iam.call("ResolvePrincipal", SERVICE, Arn=ann.arn)["Policies"].values()
    change, _ = json.loads(document)["Statement"]
    assert (change["Action"], change["Resource"]) == ("iam:ChangePassword", ann.arn)


def test_a_caller_without_a_user_name_is_meant_itself(iam: LocalIam, ann: Principal) -> None:
    assert iam.call("ListMFADevices", ann)["MFADevices"] == []
    assert iam.call("ListSSHPublicKeys", ann)["SSHPublicKeys"] == []
    assert iam.call("ListServiceSpecificCredentials", ann)["ServiceSpecificCredentials"] == []
    role = Principal("assumed-role", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", "AROA:s")
    assert iam.refused("ListMFADevices", role)[0] == "ValidationError"


def test_a_code_is_good_once_and_for_its_user_alone(iam: LocalIam, ann: Principal) -> None:
    serial, secret = _enable(iam, "ann")
    beth = iam.user("beth")

    def is_valid(code: str, user: Principal = ann, serial_number: str = serial) -> bool:
        params = {"SerialNumber": serial_number, "TokenCode": code, "UserArn": user.arn}
        valid: bool = iam.call("VerifyMfaCode", SERVICE, **params)["IsValid"]
        return valid

    # The codes of the steps up to this one were taken when the device was enabled.
    code = totp.make_code(secret, totp.get_step(time.time()) + 1)
    assert not is_valid(code, beth)
    assert not is_valid(code, serial_number=f"{serial}s")
    assert not is_valid("000000" if code != "000000" else "111111")
    assert is_valid(code)
    assert not is_valid(code)
    iam.restart()
    assert not is_valid(code)


def test_only_blocks_verify_codes(iam: LocalIam, ann: Principal) -> None:
    params = {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/phone", "TokenCode": "000000", "UserArn": ann.arn}
    assert iam.refused("VerifyMfaCode", **params)[0] == "AccessDeniedException"


def test_a_seed_is_read_after_a_restart(iam: LocalIam, ann: Principal) -> None:
    serial, secret = _enable(iam, "ann")
    iam.restart()
    iam.call("ResyncMFADevice", UserName="ann", SerialNumber=serial, **_codes(secret))


def _enable(iam: LocalIam, user: str) -> tuple[str, bytes]:
    """Enable a new device for a user; return its serial number and its secret."""
    made = iam.call("CreateVirtualMFADevice", VirtualMFADeviceName="phone")["VirtualMFADevice"]
    secret = b32decode(made["Base32StringSeed"])
    iam.call("EnableMFADevice", UserName=user, SerialNumber=made["SerialNumber"], **_codes(secret))
    return made["SerialNumber"], secret


def _codes(secret: bytes) -> dict[str, str]:
    step = totp.get_step(time.time())
    codes = totp.make_code(secret, step - 1), totp.make_code(secret, step)
    return {"AuthenticationCode1": codes[0], "AuthenticationCode2": codes[1]}
