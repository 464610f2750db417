"""What a function makes of the changes of some time comes to it with the next ones, and at the end of the time."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import python
from tests.services.lambda_.test_polling import PollingCloud
from tests.standing import eventually

_COUNTS = """
event['count'] = len(event.pop('Records'))
state = event['state']
print('SEEN ' + json.dumps({**event, 'state': 'large' if 'large' in state else state}))
state['count'] = state.get('count', 0) + event['count']
"""


class WindowCloud(PollingCloud):
    """A function f that counts the changes of a window, and tells its log what it gets."""

    def counts(self, then: str = "return {'state': state}") -> None:
        """Create the function; it ends with more lines."""
        python(self, f"{_COUNTS}{then}")

    def change(self, *values: str) -> None:
        """Change one item so often: its changes are in one shard."""
        for value in values:
            self.aws.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": "o"}, "value": {"S": value}})

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line[5:]) for line in self.log() if line.startswith("SEEN ")]

    def result(self, id: str) -> str:
        """Return what a mapping says of what came last."""
        result: str = self.client.get_event_source_mapping(UUID=id)["LastProcessingResult"]
        return result


@pytest.fixture
def windows(cloud: FunctionCloud) -> WindowCloud:
    return WindowCloud(cloud.aws)


def _finals(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in told if each["isFinalInvokeForWindow"]]


def test_the_state_goes_from_one_batch_to_the_next_and_to_the_end_of_the_window(windows: WindowCloud) -> None:
    windows.counts()
    stream = windows.table()
    id = windows.map_stream(stream, BatchSize=1, TumblingWindowInSeconds=1)
    shown = windows.client.get_event_source_mapping(UUID=id)
    assert (shown["TumblingWindowInSeconds"], shown["LastProcessingResult"]) == (1, "No records processed")
    windows.change("a", "b", "c")
    eventually(lambda: sum(each["state"]["count"] for each in _finals(windows.told())), lambda count: count == 3)
    assert windows.result(id) == "OK"
    windows.change("d")
    told = eventually(
        windows.told, lambda found: sum(each["state"]["count"] for each in _finals(found)) == 4 and len(found) > 4
    )
    for before, after in pairwise(told):
        if before["isFinalInvokeForWindow"]:
            assert (before["count"], after["state"]) == (0, {})
            assert before["window"]["end"] <= after["window"]["start"]
        else:
            assert after["state"]["count"] == before["state"].get("count", 0) + before["count"]
            assert before["window"] == after["window"]
    assert told[0]["eventSourceARN"] == stream
    assert told[0]["shardId"].startswith("shardId-")
    assert not told[0]["isWindowTerminatedEarly"]
    start, end = (datetime.fromisoformat(told[0]["window"][name]) for name in ("start", "end"))
    assert (end - start).total_seconds() == 1


@pytest.mark.parametrize("returned", ["return {}", "return {'state': 1}", "return None", "raise ValueError('no')"])
def test_a_function_that_returns_no_state_has_failed(windows: WindowCloud, returned: str) -> None:
    windows.counts(f"if 'given' not in event['state']: pass\n{returned}")
    id = windows.map_stream(windows.table(), TumblingWindowInSeconds=900, MaximumRetryAttempts=0)
    windows.change("a")
    eventually(lambda: windows.result(id), lambda result: result == "PROBLEM: Function call failed")


def test_a_state_that_becomes_too_large_ends_the_window_early(windows: WindowCloud) -> None:
    windows.counts("return {'state': {'large': 'x' * (1 << 20)} if event['count'] else {}}")
    windows.map_stream(windows.table(), BatchSize=1, TumblingWindowInSeconds=900)
    windows.change("a", "b")

    ended = eventually(lambda: _finals(windows.told()), lambda found: len(found) == 2)
    for each in ended:
        assert (each["isWindowTerminatedEarly"], each["state"], each["count"]) == (True, "large", 0)
    assert [each["state"] for each in windows.told() if each["count"]] == [{}, {}]


def test_a_window_whose_end_fails_is_given_up_after_its_attempts(windows: WindowCloud) -> None:
    windows.counts("if event['isFinalInvokeForWindow']: raise ValueError('no')\nreturn {'state': state}")
    stream, url = windows.table(), windows.queue("letters")
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{windows.account}:letters"}}
    windows.map_stream(stream, TumblingWindowInSeconds=1, MaximumRetryAttempts=1, DestinationConfig=destination)
    windows.change("a")
    (letter,) = windows.aws.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    told = json.loads(letter["Body"])
    assert (told["requestContext"]["condition"], told["requestContext"]["approximateInvokeCount"]) == (
        "RetryAttemptsExhausted",
        2,
    )
    assert (told["DDBStreamBatchInfo"]["batchSize"], told["DDBStreamBatchInfo"]["streamArn"]) == (0, stream)
    tried = eventually(lambda: _finals(windows.told()), lambda found: len(found) >= 2)
    assert [each["state"] for each in tried] == [{"count": 1}, {"count": 1}]
    windows.change("b")
    eventually(lambda: windows.told()[-1], lambda last: last["count"] == 1 and last["state"] == {})


def test_the_state_survives_a_crash(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        windows = WindowCloud(Aws(server.endpoint, "123456789012"))
        windows.counts()
        windows.map_stream(windows.table(), BatchSize=1, TumblingWindowInSeconds=900)
        windows.change("a", "b")
        eventually(lambda: len(windows.told()), lambda count: count == 2)
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        windows = WindowCloud(Aws(server.endpoint, "123456789012"))
        windows.change("c")
        told = eventually(windows.told, lambda found: len(found) >= 3)
        assert told[-1]["state"]["count"] == 2
