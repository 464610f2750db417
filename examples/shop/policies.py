"""Writes the policies of the shop's roles anew, from what each role really calls: `python policies.py`.

Needs a Cloudlet. The demo runs twice with roles that may do everything, while an event data store of CloudTrail has
data events recorded (blocks learn of that some seconds later, therefore twice). Then `cloudlet least-policy` writes
each policy. What CloudTrail does not record is added by hand, below, or by managed policies in `shop/roles.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import boto3
import cloudlet_here
from processes import HERE
from shop import function, roles

STORE = "shop-calls"
KINDS = ("DynamoDB::Stream", "DynamoDB::Table", "S3::Object", "SNS::Topic", "SQS::Queue")
BY_HAND: dict[str, list[dict[str, Any]]] = {
    "progress": [
        {
            "Effect": "Allow",
            "Action": ["execute-api:ManageConnections"],
            "Resource": ["arn:aws:execute-api:$REGION:$ACCOUNT:*/live/POST/@connections/*"],
        }
    ]
}
_WIDER = ((r"/stream/.+", "/stream/*"), (r"/(pictures|thumbnails)/.+", r"/\1/*"))
"""The label of a stream is another one each time that its table is made, and there are more products than are sold."""


def record() -> None:
    """Have data events recorded from now on."""
    selectors = [
        {
            "FieldSelectors": [
                {"Field": "eventCategory", "Equals": ["Data"]},
                {"Field": "resources.type", "Equals": [f"AWS::{kind}"]},
            ]
        }
        for kind in KINDS
    ]
    cloudtrail = boto3.client("cloudtrail")
    if all(store["Name"] != STORE for store in cloudtrail.list_event_data_stores()["EventDataStores"]):
        cloudtrail.create_event_data_store(
            Name=STORE, TerminationProtectionEnabled=False, AdvancedEventSelectors=selectors
        )


def _is_about_logs(statement: dict[str, Any]) -> bool:
    """Whether the managed policy that all functions have is enough."""
    return all(action.startswith("logs:") for action in statement["Action"])


def _widen(statement: dict[str, Any]) -> dict[str, Any]:
    resources = statement["Resource"]
    for pattern, wider in _WIDER:
        resources = [re.sub(pattern, wider, arn) for arn in resources]
    return {**statement, "Resource": sorted(set(resources))}


def main() -> int:
    cloudlet = cloudlet_here.find()
    if cloudlet is None:
        raise SystemExit("This needs a Cloudlet: AWS has no `cloudlet least-policy`.")
    sts = boto3.client("sts")
    account, region = sts.get_caller_identity()["Account"], sts.meta.region_name
    record()
    for _ in range(2):
        subprocess.run(
            [sys.executable, "demo.py"], cwd=HERE, env={**os.environ, "SHOP_POLICIES": "everything"}, check=True
        )
    for service in (*roles.SERVICES, *function.NAMES):
        policy = json.loads(cloudlet.run("least-policy", roles.arn(account, service)))
        statements = [_widen(each) for each in policy["Statement"] if not _is_about_logs(each)]
        roles.write(service, account, region, {**policy, "Statement": statements + BY_HAND.get(service, [])})
    print("\nThe policies are written to the folder policies")
    return 0


if __name__ == "__main__":
    sys.exit(main())
