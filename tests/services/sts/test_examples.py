"""AWS's own examples of calls, as botocore has them.

Those whose tokens, assertions and codes are only hinted at are in the tests of these operations.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore import xform_name
from botocore.loaders import Loader

from cloudlet.testing.server import Aws

EXAMPLES: dict[str, list[dict[str, Any]]] = Loader().load_service_model("sts", "examples-1")["examples"]
CASES = [
    pytest.param(operation, example, id=f"{operation}{number or ''}")
    for operation in ("AssumeRole", "GetCallerIdentity", "GetFederationToken")
    for number, example in enumerate(EXAMPLES[operation])
]


@pytest.fixture
def role(aws: Aws) -> str:
    """The role that the examples assume, which wants their external id."""
    condition = {"StringEquals": {"sts:ExternalId": "123ABC"}}
    principal = {"AWS": f"arn:aws:iam::{aws.account}:root"}
    actions = ["sts:AssumeRole", "sts:TagSession"]
    trust = [
        {"Effect": "Allow", "Principal": principal, "Action": actions[0], "Condition": condition},
        {"Effect": "Allow", "Principal": principal, "Action": actions[1]},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    made = aws.client("iam").create_role(RoleName="demo", AssumeRolePolicyDocument=document)
    arn: str = made["Role"]["Arn"]
    return arn


@pytest.mark.parametrize(("operation", "example"), CASES)
def test_an_example_of_aws(aws: Aws, role: str, operation: str, example: dict[str, Any]) -> None:
    given: dict[str, Any] = json.loads(json.dumps(example.get("input", {})).replace("123456789012", aws.account))
    answer = getattr(aws.client("sts"), xform_name(operation))(**given)
    assert set(example["output"]) <= set(answer)
    # The examples' answers are of Bob, whom their requests do not name.
    session = given.get("RoleSessionName") or given.get("Name", "root")
    shown = answer.get("AssumedRoleUser") or answer.get("FederatedUser") or answer
    assert shown["Arn"].endswith((f"/{session}", f":{session}"))
