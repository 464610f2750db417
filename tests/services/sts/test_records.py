"""Records of sessions in CloudTrail."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.testing.server import Aws
from tests.modes import meaningless_in
from tests.services.cloudtrail.test_history import lookup
from tests.services.sts.conftest import ALLOW_ALL, make_role, policy, with_credentials


def _record(aws: Aws, name: str) -> Any:
    (event,) = lookup(aws, 1, EventName=name)
    return json.loads(event["CloudTrailEvent"])


@meaningless_in("strict", because="the root user of an account can assume no role")
def test_a_call_in_a_role_names_the_role_with_its_path(aws: Aws) -> None:
    role = make_role(aws, Path="/team/")
    answer = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="session", SourceIdentity="ann")
    with_credentials(aws, "sqs", answer).create_queue(QueueName="orders")
    identity = _record(aws, "CreateQueue")["userIdentity"]
    assert identity["type"] == "AssumedRole"
    context = identity["sessionContext"]
    assert context["sessionIssuer"] == {
        "type": "Role",
        "principalId": answer["AssumedRoleUser"]["AssumedRoleId"].partition(":")[0],
        "arn": role,
        "accountId": aws.account,
        "userName": "demo",
    }
    assert context["sourceIdentity"] == "ann"
    assert context["attributes"].keys() == {"mfaAuthenticated", "creationDate"}
    made = _record(aws, "AssumeRole")
    assert made["responseElements"]["credentials"]["accessKeyId"] == answer["Credentials"]["AccessKeyId"]
    for secret in ("SecretAccessKey", "SessionToken"):
        assert answer["Credentials"][secret] not in json.dumps(made)


def test_a_call_of_a_federated_user_names_who_made_him(aws: Aws) -> None:
    answer = aws.client("sts").get_federation_token(Name="carol", Policy=policy(ALLOW_ALL))
    with_credentials(aws, "sqs", answer).create_queue(QueueName="orders")
    identity = _record(aws, "CreateQueue")["userIdentity"]
    assert (identity["type"], identity["arn"]) == ("FederatedUser", answer["FederatedUser"]["Arn"])
    issuer = {"type": "Root", "arn": f"arn:aws:iam::{aws.account}:root", "accountId": aws.account}
    assert identity["sessionContext"]["sessionIssuer"] == issuer
