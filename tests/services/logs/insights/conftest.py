"""Queries over a few events."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account

Record = dict[str, str]
_PATIENCE_SECONDS = 300
"""However busy the machine is, a query does not take that long."""


def finished(client: Any, query: str) -> dict[str, Any]:
    """Return what a query has found once it has ended."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while (answer := client.get_query_results(queryId=query))["status"] in ("Scheduled", "Running"):
        assert time.monotonic() < end, "the query does not end"
        time.sleep(0.005)
    return dict(answer)


def records(answer: dict[str, Any]) -> list[Record]:
    """Return the records of an answer, without pointers."""
    return [{one["field"]: one["value"] for one in record if one["field"] != "@ptr"} for record in answer["results"]]


class Asker:
    """Asks an account's log group."""

    def __init__(self, client: Any, group: str) -> None:
        self.client = client
        self.group = group
        self.begin = int(time.time()) // 3600 * 3600 - 7200
        """The time of the first event, in seconds; a whole hour."""

    def put(self, messages: Sequence[str], *, seconds: int = 60) -> None:
        """Put events that are so far apart."""
        self.client.create_log_group(logGroupName=self.group)
        self.client.create_log_stream(logGroupName=self.group, logStreamName="s")
        events = [
            {"timestamp": (self.begin + number * seconds) * 1000, "message": message}
            for number, message in enumerate(messages)
        ]
        self.client.put_log_events(logGroupName=self.group, logStreamName="s", logEvents=events)

    def start(self, query: str, **params: Any) -> str:
        given = {"logGroupName": self.group, "startTime": self.begin, "endTime": self.begin + 7200, **params}
        given = {name: value for name, value in given.items() if value is not None}
        return str(self.client.start_query(queryString=query, **given)["queryId"])

    def answer(self, query: str, **params: Any) -> dict[str, Any]:
        return finished(self.client, self.start(query, **params))

    def ask(self, query: str, **params: Any) -> list[Record]:
        """Return what a query finds."""
        answer = self.answer(query, **params)
        assert answer["status"] == "Complete"
        return records(answer)


@pytest.fixture
def asker(logs: Any) -> Asker:
    return Asker(logs, "g")


@pytest.fixture(scope="module")
def shared(cloudlet_server: Server) -> Callable[[Sequence[str]], Asker]:
    """Makes an account with events for all tests of a module."""

    def make(messages: Sequence[str]) -> Asker:
        made = Asker(Aws(cloudlet_server.endpoint, fresh_account()).client("logs"), "/aws/lambda/f")
        made.put(messages)
        return made

    return make
