"""The AWS CLI, as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cloudlet.testing.server import Aws


def _cli(aws: Aws, *arguments: str) -> Any:
    command = [
        str(Path(sys.executable).with_name("aws")),
        "--endpoint-url",
        aws.endpoint,
        "sqs",
        *arguments,
        "--output",
        "json",
    ]
    environment = {**os.environ, **aws.environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout or "{}")


def test_a_message_goes_through_a_queue(aws: Aws) -> None:
    url = _cli(aws, "create-queue", "--queue-name", "orders")["QueueUrl"]
    sent = _cli(aws, "send-message", "--queue-url", url, "--message-body", "hello")
    [message] = _cli(aws, "receive-message", "--queue-url", url)["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "hello")
    _cli(aws, "delete-message", "--queue-url", url, "--receipt-handle", message["ReceiptHandle"])
