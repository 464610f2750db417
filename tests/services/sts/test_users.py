"""Sessions of users: GetSessionToken, GetFederationToken, and what MFA devices prove."""

from __future__ import annotations

import time
from base64 import b32decode
from typing import Any

import pytest

from cloudlet.core.kernel.identity import Principal, root
from cloudlet.services.iam import totp
from tests.services.sts.conftest import ACCOUNT, ALLOW_ALL, USER, Sts, policy, trust

_PRESENT = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


class Device:
    """An MFA device of the user. Its codes go by the machine's clock, each is good once, and so is the one it gives."""

    def __init__(self, sts: Sts, name: str) -> None:
        made = sts.iam("CreateVirtualMFADevice", VirtualMFADeviceName=name)["VirtualMFADevice"]
        seed, step = b32decode(made["Base32StringSeed"]), totp.get_step(time.time())
        codes = {
            "AuthenticationCode1": totp.make_code(seed, step - 1),
            "AuthenticationCode2": totp.make_code(seed, step),
        }
        sts.iam("EnableMFADevice", UserName="alice", SerialNumber=made["SerialNumber"], **codes)
        self.proof = {"SerialNumber": made["SerialNumber"], "TokenCode": totp.make_code(seed, step + 1)}


@pytest.fixture
def device(strict_sts: Sts) -> Device:
    strict_sts.iam("CreateUser", UserName="alice")
    return Device(strict_sts, "phone")


def _seconds(sts: Sts, answer: Any) -> float:
    return float(answer["Credentials"]["Expiration"] - sts.now)


@pytest.mark.parametrize("operation", ["GetSessionToken", "GetFederationToken"])
def test_sessions_of_a_user_last_half_a_day(sts: Sts, operation: str) -> None:
    named = {"Name": "carol"} if operation == "GetFederationToken" else {}
    assert _seconds(sts, sts.call(operation, **named)) == 43200
    assert _seconds(sts, sts.call(operation, **named, DurationSeconds=129600)) == 129600
    by_root = sts.call(operation, by=root(ACCOUNT), **named, DurationSeconds=129600)
    assert _seconds(sts, by_root) == 3600


@pytest.mark.parametrize("operation", ["GetSessionToken", "GetFederationToken"])
def test_sessions_make_no_sessions_of_users(sts: Sts, operation: str) -> None:
    named = {"Name": "carol"} if operation == "GetFederationToken" else {}
    role = sts.role(trust({"AWS": ACCOUNT}))
    federated = sts.opened(sts.call("GetFederationToken", Name="carol"))
    for by in (sts.opened(sts.call("GetSessionToken")), sts.assume(role), federated):
        assert sts.refused(operation, by=by, **named) == (
            "AccessDenied",
            f"Cannot call {operation} with session credentials",
        )


def test_a_session_of_a_user_is_the_user(sts: Sts) -> None:
    session = sts.opened(sts.call("GetSessionToken"))
    assert (session.kind, session.arn, session.user_id) == ("user", USER, "AIDAEXAMPLE")
    assert session.session is not None
    assert (session.session.issuer, session.session.issued_at, session.session.mfa_at) == (USER, sts.now, 0.0)
    identity = sts.call("GetCallerIdentity", by=session)
    assert identity == {"UserId": "AIDAEXAMPLE", "Account": ACCOUNT, "Arn": USER}


def test_a_federated_user_has_the_policies_that_are_passed(sts: Sts) -> None:
    document = policy(ALLOW_ALL)
    answer = sts.call("GetFederationToken", Name="carol", Policy=document, Tags=[{"Key": "a", "Value": "b"}])
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/carol"
    assert answer["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:carol", "Arn": arn}
    assert 0 < answer["PackedPolicySize"] <= 100
    session = sts.opened(answer)
    assert (session.kind, session.arn, session.user_id) == ("federated-user", arn, f"{ACCOUNT}:carol")
    details = session.session
    assert details is not None
    assert (details.issuer, details.policies, details.has_policies, details.tags) == (
        USER,
        (document,),
        True,
        {"a": "b"},
    )
    without = sts.opened(sts.call("GetFederationToken", Name="carol")).session
    assert without is not None
    assert not without.has_policies


def test_a_federated_user_has_policies_that_make_sense(sts: Sts) -> None:
    assert sts.refused("GetFederationToken", Name="carol", Policy="{}")[0] == "MalformedPolicyDocumentException"
    other = [{"arn": "arn:aws:iam::999999999999:policy/other"}]
    assert sts.refused("GetFederationToken", Name="carol", PolicyArns=other)[0] == "ValidationError"


def test_a_code_proves_who_has_the_device(strict_sts: Sts, device: Device) -> None:
    answer = strict_sts.call("GetSessionToken", **device.proof)
    details = strict_sts.opened(answer).session
    assert details is not None
    assert details.mfa_at == strict_sts.now


def test_a_code_is_of_ones_own_device_and_good_once(strict_sts: Sts, device: Device) -> None:
    refusal = ("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    proof = device.proof
    bob = strict_sts.user("bob")
    assert strict_sts.refused("GetSessionToken", by=bob, **proof) == refusal
    assert strict_sts.refused("GetSessionToken", **{**proof, "TokenCode": "000000"}) == refusal
    strict_sts.call("GetSessionToken", **proof)
    assert strict_sts.refused("GetSessionToken", **proof) == refusal
    assert strict_sts.refused("GetSessionToken", TokenCode="123456") == (
        "AccessDenied",
        "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
    )


def test_a_role_asks_for_a_code(strict_sts: Sts, device: Device) -> None:
    role = strict_sts.role(trust({"AWS": USER}, **_PRESENT))
    named = {"RoleArn": role, "RoleSessionName": "session"}
    assert strict_sts.refused("AssumeRole", **named)[0] == "AccessDenied"
    plain = strict_sts.opened(strict_sts.call("GetSessionToken"))
    assert strict_sts.refused("AssumeRole", by=plain, **named)[0] == "AccessDenied"
    strict_sts.call("AssumeRole", **named, **device.proof)
    proven = strict_sts.opened(strict_sts.call("GetSessionToken", **Device(strict_sts, "key").proof))
    strict_sts.call("AssumeRole", by=proven, **named)


def test_a_role_asks_for_a_code_of_late(strict_sts: Sts, device: Device) -> None:
    role = strict_sts.role(trust({"AWS": USER}, NumericLessThan={"aws:MultiFactorAuthAge": "600"}))
    named = {"RoleArn": role, "RoleSessionName": "session"}
    proven = strict_sts.opened(strict_sts.call("GetSessionToken", **device.proof))
    strict_sts.call("AssumeRole", by=proven, **named)
    strict_sts.advance(600)
    assert strict_sts.refused("AssumeRole", by=proven, **named)[0] == "AccessDenied"


def test_a_role_has_no_device(strict_sts: Sts, device: Device) -> None:
    role = strict_sts.role(trust({"AWS": USER}))
    session = strict_sts.assume(role)
    code, message = strict_sts.refused(
        "AssumeRole", by=session, RoleArn=role, RoleSessionName="session", **device.proof
    )
    assert code == "AccessDenied"
    assert message.startswith("MultiFactorAuthentication failed, unable to validate MFA code.")


def test_services_are_no_users(sts: Sts) -> None:
    service = Principal("service", ACCOUNT, "lambda.amazonaws.com", "lambda")
    assert sts.refused("GetSessionToken", by=service)[0] == "AccessDenied"
