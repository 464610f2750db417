"""Records that CloudTrail keeps of calls of KMS: all of them among management events, none with a secret."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.testing.server import Aws
from tests.services.kms.keys import create_key
from tests.standing import eventually


def _look_up(aws: Aws, name: str) -> dict[str, Any]:
    trails = aws.client("cloudtrail")
    attributes = [{"AttributeKey": "EventName", "AttributeValue": name}]
    found = eventually(lambda: trails.lookup_events(LookupAttributes=attributes)["Events"])
    return dict(json.loads(found[0]["CloudTrailEvent"]))


def test_uses_of_keys_are_read_only_management_events(aws: Aws, kms: Any) -> None:
    key = create_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"very secret", EncryptionContext={"app": "shop"})["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob, EncryptionContext={"app": "shop"})
    kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    encrypted = _look_up(aws, "Encrypt")
    assert encrypted["requestParameters"] == {"keyId": key, "encryptionContext": {"app": "shop"}}
    for name in ("Encrypt", "Decrypt", "GenerateDataKey"):
        event = _look_up(aws, name)
        assert (event["eventSource"], event["readOnly"]) == ("kms.amazonaws.com", True)
        assert (event["managementEvent"], event["eventCategory"]) == (True, "Management")
        assert event["responseElements"] is None
        assert "secret" not in json.dumps(event)


def test_changes_of_keys_are_no_reads(aws: Aws, kms: Any) -> None:
    key = create_key(kms)
    made = kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{aws.account}:root", Operations=["Encrypt"])
    event = _look_up(aws, "CreateGrant")
    assert event["readOnly"] is False
    assert event["responseElements"]["grantId"] == made["GrantId"]
    assert made["GrantToken"] not in json.dumps(event)
    assert _look_up(aws, "CreateKey")["responseElements"]["keyMetadata"]["keyId"] == key
