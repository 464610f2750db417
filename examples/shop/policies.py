"""Writes the policies of the shop's roles anew, from what each role really calls: `python policies.py`.

Needs a Cloudlet that does not enforce permissions. The demo runs twice, while an event data store of CloudTrail has
data events recorded (blocks learn of that some seconds later, therefore twice). Then `cloudlet least-policy` writes
each policy. What CloudTrail does not record is added by hand, below, or by managed policies in infrastructure/roles.py.
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
from deploy import HERE

POLICIES = HERE / "policies"
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
        subprocess.run([sys.executable, "demo.py"], cwd=HERE, env={**os.environ, "SHOP_RECORDED": "yes"}, check=True)
    for path in sorted(POLICIES.glob("*.json")):
        policy = json.loads(cloudlet.run("least-policy", f"arn:aws:iam::{account}:role/shop-{path.stem}"))
        statements = [_widen(each) for each in policy["Statement"] if not _is_about_logs(each)]
        least = {**policy, "Statement": statements + BY_HAND.get(path.stem, [])}
        text = json.dumps(least, indent=2).replace(account, "$ACCOUNT").replace(f":{region}:", ":$REGION:")
        path.write_text(f"{text}\n")
    print("\nThe policies are written to the folder policies")
    return 0


if __name__ == "__main__":
    sys.exit(main())
