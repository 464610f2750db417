"""Cloud Control API of an account, for tests: requests are waited for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.standing import eventually


@contextmanager
def failing(code: str, words: str = "") -> Iterator[None]:
    """Expect a call to be refused with an error code, and words in its message."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert words in error["Message"], error


_FINAL = ("SUCCESS", "FAILED", "CANCEL_COMPLETE")


@dataclass(frozen=True)
class Control:
    """Resources of an account, made and changed by Cloud Control API."""

    aws: Aws

    @property
    def client(self) -> Any:
        return self.aws.client("cloudcontrol")

    def wait(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the progress event of a request once it has ended."""
        token = answer["ProgressEvent"]["RequestToken"]
        return eventually(
            lambda: self.client.get_resource_request_status(RequestToken=token)["ProgressEvent"],
            lambda event: event["OperationStatus"] in _FINAL,
        )

    def create(self, name: str, properties: dict[str, Any], **options: Any) -> dict[str, Any]:
        return self.wait(self.client.create_resource(TypeName=name, DesiredState=json.dumps(properties), **options))

    def update(self, name: str, identifier: str, *patch: dict[str, Any]) -> dict[str, Any]:
        document = json.dumps(patch)
        return self.wait(self.client.update_resource(TypeName=name, Identifier=identifier, PatchDocument=document))

    def delete(self, name: str, identifier: str) -> dict[str, Any]:
        return self.wait(self.client.delete_resource(TypeName=name, Identifier=identifier))

    def get(self, name: str, identifier: str) -> dict[str, Any]:
        """Return the properties of a resource."""
        found = self.client.get_resource(TypeName=name, Identifier=identifier)["ResourceDescription"]
        properties: dict[str, Any] = json.loads(found["Properties"])
        return properties

    def list(self, name: str, **model: Any) -> list[str]:
        """Return the identifiers of the resources of a type."""
        options = {"ResourceModel": json.dumps(model)} if model else {}
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = self.client.list_resources(TypeName=name, **options, **token)
            found += [one["Identifier"] for one in page["ResourceDescriptions"]]
            if not page.get("NextToken"):
                return found
            token = {"NextToken": page["NextToken"]}
