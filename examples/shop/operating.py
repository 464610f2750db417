"""Start the shop's services, and give each the credentials of its role, as a container service would."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import boto3
from botocore.exceptions import ClientError
from processes import wait
from shop import roles


class Operator:
    """A key of the user who may take the services' roles, which is deleted when `running` ends."""

    def __init__(self, running: ExitStack) -> None:
        iam = boto3.client("iam")
        key = iam.create_access_key(UserName=roles.OPERATOR)["AccessKey"]
        running.callback(iam.delete_access_key, UserName=roles.OPERATOR, AccessKeyId=key["AccessKeyId"])
        own = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        # A session token of ours does not belong to this key.
        self._sts = boto3.Session(**own, region_name=iam.meta.config.region_name).client("sts")
        self._account = boto3.client("sts").get_caller_identity()["Account"]

    def take_role(self, service: str) -> dict[str, str]:
        """Return the environment of a service with the credentials of its role."""
        given = wait(f"the role of {service}", lambda: self._assume(service))
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def _assume(self, service: str) -> dict[str, Any] | None:
        """Return credentials of a role; None where AWS does not know it, or our key, by now."""
        try:
            answer = self._sts.assume_role(RoleArn=roles.arn(self._account, service), RoleSessionName=service)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("AccessDenied", "InvalidClientTokenId"):
                return None
            raise
        return dict(answer["Credentials"])
