"""Changes of permissions count at once, where they are enforced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server
from tests.services.iam.documents import allow, policy

ACCOUNT = "123456789012"
ADMIN = f"arn:aws:iam::{ACCOUNT}:policy/queues"


@pytest.fixture(scope="module")
def root() -> Iterator[Aws]:
    with Server.start("--ephemeral", "--auth", "strict", "--root-key", f"{ACCOUNT}:{ACCOUNT}:test") as server:
        yield Aws(server.endpoint, ACCOUNT)


def test_changes_count_at_once(root: Aws) -> None:
    iam = root.client("iam")
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="team")
    iam.create_policy(PolicyName="queues", PolicyDocument=policy(allow("sqs:ListQueues")))
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    sqs = root.client("sqs", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])

    def is_allowed() -> bool:
        try:
            sqs.list_queues()
        except ClientError:
            return False
        return True

    changes: list[tuple[Callable[..., Any], dict[str, str], bool]] = [
        (iam.put_user_policy, {"UserName": "ann", "PolicyName": "own", "PolicyDocument": policy(allow("sqs:*"))}, True),
        (iam.delete_user_policy, {"UserName": "ann", "PolicyName": "own"}, False),
        (iam.attach_group_policy, {"GroupName": "team", "PolicyArn": ADMIN}, False),
        (iam.add_user_to_group, {"GroupName": "team", "UserName": "ann"}, True),
        (iam.put_user_permissions_boundary, {"UserName": "ann", "PermissionsBoundary": ADMIN}, True),
        (iam.create_policy_version, {"PolicyArn": ADMIN, "PolicyDocument": policy(allow("sns:*"))}, True),
        (iam.set_default_policy_version, {"PolicyArn": ADMIN, "VersionId": "v2"}, False),
        (iam.set_default_policy_version, {"PolicyArn": ADMIN, "VersionId": "v1"}, True),
        (iam.update_access_key, {"UserName": "ann", "AccessKeyId": key["AccessKeyId"], "Status": "Inactive"}, False),
        (iam.update_access_key, {"UserName": "ann", "AccessKeyId": key["AccessKeyId"], "Status": "Active"}, True),
        (iam.remove_user_from_group, {"GroupName": "team", "UserName": "ann"}, False),
    ]
    assert not is_allowed()
    for change, params, expected in changes:
        change(**params)
        assert is_allowed() is expected, (change.__name__, params)
