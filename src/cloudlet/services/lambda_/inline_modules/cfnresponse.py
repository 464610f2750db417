"""The module `cfnresponse`, which answers for custom resources.

Functions find it whose source is in a template. It has the interface of AWS's (CloudFormation's user guide,
"cfn-response module"), and imports nothing of Cloudlet.
"""

import json
import sys
import urllib.request
from typing import Any

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(
    event: dict[str, Any],
    context: Any,
    responseStatus: str,  # AWS's names
    responseData: dict[str, Any],
    physicalResourceId: str | None = None,
    noEcho: bool = False,
    reason: str | None = None,
) -> None:
    """Send an answer to where CloudFormation waits for it."""
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
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")
    try:
        with urllib.request.urlopen(request) as response:
            sys.stdout.write(f"Status code: {response.status}\n")
    except OSError as error:
        sys.stdout.write(f"send(..) failed executing http.request(..): {error}\n")
