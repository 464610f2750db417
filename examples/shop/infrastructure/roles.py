"""Each service and each function has a role of its own, and may do what `policies/NAME.json` says, and no more."""

from __future__ import annotations

import json
from pathlib import Path

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from constructs import Construct

_POLICIES = Path(__file__).parents[1] / "policies"
_TRACING = "AWSXRayDaemonWriteAccess"


def create(scope: Construct, name: str, trusted: str, *managed: str) -> iam.Role:
    """Create the role of a service or function, for `trusted`, an AWS service, to take."""
    text = (_POLICIES / f"{name}.json").read_text()
    policy = json.loads(text.replace("$ACCOUNT", Aws.ACCOUNT_ID).replace("$REGION", Aws.REGION))
    role = iam.Role(
        scope,
        f"{name}Role",
        role_name=f"shop-{name}",
        assumed_by=iam.ServicePrincipal(trusted),
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(each) for each in (_TRACING, *managed)],
        inline_policies={"least": iam.PolicyDocument.from_json(policy)},
    )
    # The CDK would add to it whatever the role may need.
    return role.without_policy_updates()
