"""CloudTrail within the test's own process, with a clock that the test moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from tests.in_process import InProcess

ACCOUNT = "111111111111"
REGION = "us-east-1"
_SERVICES = frozenset({"cloudtrail", "s3", "sqs"})


class LocalCloud(InProcess):
    """Calls operations as the root of an account, and moves the clock."""

    block = "cloudtrail"

    def __init__(self, folder: Path) -> None:
        super().__init__(Config(data=folder, services=_SERVICES, durable=False))

    @property
    def trails(self) -> Block:
        """The block itself."""

        async def block() -> Block:
            return self.cloud.block(self.block)

        return self.run(block())

    def call(self, service: str, operation: str, /, account: str = ACCOUNT, **params: Any) -> dict[str, Any]:
        """Call an operation and return its result. Raises AwsError."""
        owner = root(account, account)
        called = self.cloud.call(service, operation, params, principal=owner, account=account, region=REGION)
        return dict(self.run(called) or {})

    def events(self, name: str, account: str = ACCOUNT) -> list[dict[str, Any]]:
        """Return the events of an operation in the history."""
        wanted = [{"AttributeKey": "EventName", "AttributeValue": name}]
        return list(self.call("cloudtrail", "LookupEvents", account, LookupAttributes=wanted).get("Events") or [])
