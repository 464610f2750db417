"""Secrets of an account, over a real socket."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws


def make_token(number: int) -> str:
    """Return the id of a version, the same for the same number."""
    return f"{number:032d}"


class SecretCloud:
    """Clients of one account, and what tests do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.client: Any = aws.client("secretsmanager")

    def create(self, name: str = "s", **more: Any) -> str:
        """Create a secret with a value; return its ARN."""
        given = {"Name": name, "SecretString": "first", **more}
        arn: str = self.client.create_secret(**{key: value for key, value in given.items() if value is not None})["ARN"]
        return arn

    def value(self, id: str = "s", **more: Any) -> str:
        """Return the value of a secret."""
        value: str = self.client.get_secret_value(SecretId=id, **more)["SecretString"]
        return value

    def stages(self, id: str = "s") -> dict[str, str]:
        """Return the versions of a secret, by their labels."""
        versions = self.client.describe_secret(SecretId=id).get("VersionIdsToStages", {})
        return {label: version for version, labels in versions.items() for label in labels}

    def names(self, **more: Any) -> list[str]:
        """Return the names of the secrets that a list has."""
        return [each["Name"] for each in self.client.list_secrets(**more)["SecretList"]]

    def refused(self, operation: str, **params: Any) -> tuple[str, str]:
        """Call an operation that fails; return the error's code and its message."""
        with pytest.raises(ClientError) as caught:
            getattr(self.client, operation)(**params)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    def in_region(self, region: str) -> SecretCloud:
        """Return the same account in another region."""
        return SecretCloud(Aws(self.aws.endpoint, self.aws.account, region))
