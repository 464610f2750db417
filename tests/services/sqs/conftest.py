"""A Cloudlet within the test's own process, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.cloud import Auth, Config
from cloudlet.core.kernel.identity import Principal, root
from tests.in_process import InProcess

ACCOUNT = "111111111111"
REGION = "eu-west-1"


class Sqs(InProcess):
    """Calls SQS operations as the root of an account, and moves the clock."""

    block = "sqs"

    def __init__(self, folder: Path, auth: Auth = "open") -> None:
        super().__init__(Config(data=folder, auth=auth, durable=False))

    def call(self, operation: str, *, by: Principal | None = None, account: str = ACCOUNT, **params: Any) -> Any:
        """Call an operation and return its result. Raises AwsError."""
        return self.run(self.calling(operation, by=by, account=account, **params))

    async def calling(
        self, operation: str, *, by: Principal | None = None, account: str = ACCOUNT, **params: Any
    ) -> Any:
        caller = by or root(account)
        return await self.cloud.call("sqs", operation, params, principal=caller, account=account, region=REGION) or {}

    # -- in short

    def queue(self, name: str = "orders", **attributes: Any) -> str:
        """Create a queue and return its URL."""
        if name.endswith(".fifo"):
            attributes.setdefault("FifoQueue", "true")
            attributes.setdefault("ContentBasedDeduplication", "true")
        values = {key: str(value) for key, value in attributes.items()}
        return str(self.call("CreateQueue", QueueName=name, Attributes=values)["QueueUrl"])

    def send(self, url: str, body: str = "hello", **params: Any) -> Any:
        return self.call("SendMessage", QueueUrl=url, MessageBody=body, **params)

    def receive(self, url: str, count: int = 10, **params: Any) -> list[dict[str, Any]]:
        params.setdefault("MessageSystemAttributeNames", ["All"])
        found = self.call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=count, **params)
        return list(found.get("Messages", []))

    def bodies(self, url: str, count: int = 10, **params: Any) -> list[str]:
        return [message["Body"] for message in self.receive(url, count, **params)]

    def delete(self, url: str, message: dict[str, Any]) -> None:
        self.call("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def counts(self, url: str) -> tuple[int, int, int]:
        """Return how many messages are visible, in flight and delayed."""
        shown = self.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return (
            int(shown["ApproximateNumberOfMessages"]),
            int(shown["ApproximateNumberOfMessagesNotVisible"]),
            int(shown["ApproximateNumberOfMessagesDelayed"]),
        )

    def arn(self, url: str) -> str:
        shown = self.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
        return str(shown["Attributes"]["QueueArn"])


@pytest.fixture
def sqs(tmp_path: Path) -> Iterator[Sqs]:
    """SQS in open mode, with a clock that the test moves."""
    server = Sqs(tmp_path)
    yield server
    server.close()


@pytest.fixture
def strict_sqs(tmp_path: Path) -> Iterator[Sqs]:
    """SQS that enforces permissions."""
    server = Sqs(tmp_path, "strict")
    yield server
    server.close()
