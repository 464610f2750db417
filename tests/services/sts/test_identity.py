"""Find who calls, whose a key is, and why a request was denied."""

from __future__ import annotations

import json

import pytest

from cloudlet.core.authorization.message import encode_message
from cloudlet.core.aws.policy import Policies, Request, evaluate
from cloudlet.core.kernel.identity import root
from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.sts.conftest import ACCOUNT, OTHER, USER, Sts


def test_a_key_is_of_the_account_that_its_id_names(aws: Aws) -> None:
    sts = aws.client("sts")
    key = sts.get_session_token()["Credentials"]["AccessKeyId"]
    assert sts.get_access_key_info(AccessKeyId=key)["Account"] == aws.account
    assert refused(sts.get_access_key_info, AccessKeyId="A" * 16) == (
        "ValidationError",
        f"Invalid access key id: {'A' * 16}",
    )


def test_a_message_is_decoded_in_the_account_of_the_request(strict_sts: Sts) -> None:
    request = Request(strict_sts.permit(), "ec2:StopInstances", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1")
    text = encode_message(strict_sts.cloud.vault, ACCOUNT, evaluate(request, Policies()))
    said = json.loads(strict_sts.call("DecodeAuthorizationMessage", EncodedMessage=text)["DecodedMessage"])
    assert (said["allowed"], said["context"]["principal"]["arn"]) == (False, USER)
    invalid = ("InvalidAuthorizationMessageException", "Message is not valid")
    assert strict_sts.refused("DecodeAuthorizationMessage", by=root(OTHER), EncodedMessage=text) == invalid


def test_what_is_no_message_is_refused(aws: Aws) -> None:
    assert refused(aws.client("sts").decode_authorization_message, EncodedMessage="nothing\n") == (
        "InvalidAuthorizationMessageException",
        "Message is not valid",
    )


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("GetAccessKeyInfo", {"AccessKeyId": "ASIAEXAMPLEEXAMPLE00"}),
        ("DecodeAuthorizationMessage", {"EncodedMessage": "text"}),
    ],
)
def test_sessions_of_users_ask_for_little(sts: Sts, operation: str, params: dict[str, str]) -> None:
    for name, named in (("GetSessionToken", {}), ("GetFederationToken", {"Name": "carol"})):
        session = sts.opened(sts.call(name, **named))
        sts.call("GetCallerIdentity", by=session)
        assert sts.refused(operation, by=session, **params) == (
            "AccessDenied",
            f"Cannot call {operation} with session credentials",
        )
