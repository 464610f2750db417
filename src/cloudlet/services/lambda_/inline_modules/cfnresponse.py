"""Answers of custom resources: a module that AWS puts beside functions in templates.

CloudFormation user guide, "cfn-response module". It imports nothing of Cloudlet: it runs within users' functions.
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(
    event: dict[str, Any],
    context: Any,
    responseStatus: str,
    responseData: Any,
    physicalResourceId: str | None = None,
    noEcho: bool = False,
    reason: str | None = None,
) -> None:
    """Send an answer; one that cannot be sent is printed."""
    answer = {
        "Status": responseStatus,
        "Reason": reason or f"See the details in CloudWatch Log Stream: {context.log_stream_name}",
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    body = json.dumps(answer)
    print(f"Response body:\n{body}")  # noqa: T201
    # Without a type: that of a form would be added otherwise.
    request = urllib.request.Request(event["ResponseURL"], body.encode(), {"content-type": ""}, method="PUT")
    try:
        with urllib.request.urlopen(request) as response:
            print(f"Status code: {response.status}")  # noqa: T201
    except OSError as error:
        print(f"send(..) failed executing the request: {error}")  # noqa: T201
