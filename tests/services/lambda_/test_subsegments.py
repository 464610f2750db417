"""What functions tell X-Ray themselves, as the SDKs in them do: by UDP, to `AWS_XRAY_DAEMON_ADDRESS`."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.testing.server import Aws, fresh_account
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import invoke, python
from tests.standing import eventually

SEND = """
import socket
host, _, port = os.environ["AWS_XRAY_DAEMON_ADDRESS"].partition(":")
told = dict(part.split("=") for part in os.environ["_X_AMZN_TRACE_ID"].split(";"))
told = {"trace_id": told["Root"], "parent_id": told["Parent"], **event.get("claims", {})}
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.connect((host, int(port)))
for name in event["names"]:
    inner = {"id": os.urandom(8).hex(), "name": name, "type": "subsegment", "start_time": time.time()}
    document = {**told, **inner, "end_time": time.time()}
    out.send(b'{"format": "json", "version": 1}\\n' + json.dumps(document).encode())
out.send(b"nothing that can be read")
return told
"""


def names(aws: Aws, trace: str) -> set[str]:
    """Return the names of a trace's segments, and of what was sent by itself."""
    found = aws.client("xray").batch_get_traces(TraceIds=[trace])["Traces"]
    return {json.loads(segment["Document"])["name"] for each in found for segment in each["Segments"]}


def told(cloud: FunctionCloud, event: dict[str, Any]) -> dict[str, Any]:
    """Have the function send; return what it sent, of which trace and parent."""
    answer = invoke(cloud, event)
    assert answer.error is None, answer.value
    value: dict[str, Any] = answer.value
    return value


def test_a_subsegment_is_part_of_the_invocations_trace(cloud: FunctionCloud) -> None:
    python(cloud, SEND, TracingConfig={"Mode": "Active"})
    sent = told(cloud, {"names": ["pricing", "packing"]})
    assert eventually(lambda: names(cloud.aws, sent["trace_id"]), lambda seen: len(seen) == 3) == {
        "f",
        "pricing",
        "packing",
    }


def test_what_is_below_another_subsegment_is_found_by_its_trace(cloud: FunctionCloud) -> None:
    python(cloud, SEND, TracingConfig={"Mode": "Active"})
    sent = told(cloud, {"names": ["inner"], "claims": {"parent_id": "00000000000000aa"}})
    eventually(lambda: names(cloud.aws, sent["trace_id"]), lambda seen: "inner" in seen)


def test_a_trace_that_is_no_invocations_is_not_taken(cloud: FunctionCloud) -> None:
    python(cloud, SEND, TracingConfig={"Mode": "Active"})
    own = told(cloud, {"names": ["own"]})
    strange = own["trace_id"][:-1] + ("0" if own["trace_id"][-1] != "0" else "1")
    told(cloud, {"names": ["strange"], "claims": {"trace_id": strange, "parent_id": "00000000000000bb"}})
    last = told(cloud, {"names": ["last"], "claims": own})
    eventually(lambda: names(cloud.aws, last["trace_id"]), lambda seen: "last" in seen)
    assert names(cloud.aws, strange) == set()


def test_a_document_is_in_the_account_of_the_function(cloud: FunctionCloud) -> None:
    python(cloud, SEND, TracingConfig={"Mode": "Active"})
    sent = told(cloud, {"names": ["pricing"]})
    eventually(lambda: names(cloud.aws, sent["trace_id"]), lambda seen: "pricing" in seen)
    assert names(Aws(cloud.aws.endpoint, fresh_account()), sent["trace_id"]) == set()
