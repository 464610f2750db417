"""The whole server, killed while events come: every acknowledged batch is there, once, whole and in order.

Each writer has a stream of its own, of one log group. A batch that was on its way when the server was killed is
there whole, or not at all.
"""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server

ACCOUNT = "123456789012"
GROUP = "g"
STREAMS = ("one", "two", "three")
ROUNDS = 5
_OF_BATCH = 5
_SECONDS_OF_BATCH = 2
"""Of more than one second, so that a batch is more than one row."""


def _client(server: Server) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=5)
    return Aws(server.endpoint, ACCOUNT).client("logs", config=config)


def _batch(name: str, at: int) -> list[dict[str, Any]]:
    step = _SECONDS_OF_BATCH * 1000 // _OF_BATCH
    return [{"timestamp": at + nth * step, "message": f"{name}-{nth}"} for nth in range(_OF_BATCH)]


def _put(server: Server, stream: str, turn: int, acknowledged: list[str]) -> None:
    """Put batches, each later than the one before, until the server is gone."""
    client = _client(server)
    begin = int(time.time() * 1000) - 20 * 3_600_000 + turn * 3_600_000
    for number in range(3_600 // _SECONDS_OF_BATCH):
        name = f"{stream}-{turn}-{number:05}"
        batch = _batch(name, begin + number * _SECONDS_OF_BATCH * 1000)
        try:
            client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=batch)
        except (BotoCoreError, ClientError):
            return
        acknowledged.append(name)


def _all_of(client: Any, stream: str) -> list[str]:
    """Return the messages of a stream, from the first one on."""
    token: dict[str, str] = {}
    found: list[str] = []
    while True:
        page = client.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True, **token)
        if not page["events"]:
            return found
        found += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}


def test_every_acknowledged_batch_is_there_whole_once_and_in_order(tmp_path: Path) -> None:
    acknowledged: dict[str, list[str]] = {stream: [] for stream in STREAMS}
    for turn in range(ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            if turn == 0:
                client = _client(server)
                client.create_log_group(logGroupName=GROUP)
                for stream in STREAMS:
                    client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
            writers = [
                threading.Thread(target=_put, args=(server, stream, turn, acknowledged[stream])) for stream in STREAMS
            ]
            for writer in writers:
                writer.start()
            time.sleep(random.uniform(0.3, 0.8))
            server.kill()
            for writer in writers:
                writer.join()

    with Server.start("--data", str(tmp_path)) as server:
        client = _client(server)
        read: list[str] = []
        for stream in STREAMS:
            came = _all_of(client, stream)
            batches = list(dict.fromkeys(message.rpartition("-")[0] for message in came))
            assert came == [f"{name}-{nth}" for name in batches for nth in range(_OF_BATCH)]
            assert batches == sorted(batches)
            assert len(acknowledged[stream]) > 20
            assert set(batches) >= set(acknowledged[stream]), "acknowledged batches are lost"
            # What was not acknowledged is at most what was on its way, one batch a round.
            assert len(batches) <= len(acknowledged[stream]) + ROUNDS
            read += came
        # The group tells the same as its streams.
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=GROUP)
        assert sorted(event["message"] for page in pages for event in page["events"]) == sorted(read)
