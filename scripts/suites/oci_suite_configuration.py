"""Creates the repositories of the conformance tests in a Cloudlet, and prints the password for them."""

from __future__ import annotations

import base64
import sys

import boto3

ACCOUNT = "111111111111"


def main(endpoint: str) -> None:
    ecr = boto3.client(
        "ecr",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="test",
    )
    for name in ("conformance/repo1", "conformance/repo2"):
        ecr.create_repository(repositoryName=name)
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    (data,) = ecr.get_authorization_token()["authorizationData"]
    print(base64.b64decode(data["authorizationToken"]).decode().partition(":")[2])


main(sys.argv[1])
