"""Queries of event data stores, for tests."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.standing import eventually


def store_id(arn: str) -> str:
    """Return the id of an event data store, by which queries name it."""
    return arn.rpartition("/")[2]


def seen(aws: Aws, queue: str) -> None:
    """Wait until CloudTrail has the event of a queue that was created."""
    trails = aws.client("cloudtrail")
    attributes = [{"AttributeKey": "ResourceName", "AttributeValue": queue}]
    assert eventually(lambda: trails.lookup_events(LookupAttributes=attributes)["Events"])


def ended(trails: Any, query: str) -> dict[str, Any]:
    """Wait until a query has ended; return what is said of it."""

    def described() -> dict[str, Any]:
        said: dict[str, Any] = trails.describe_query(QueryId=query)
        return said

    return eventually(described, lambda said: said["QueryStatus"] not in ("QUEUED", "RUNNING"))


def answered(trails: Any, statement: str) -> list[dict[str, str]]:
    """Execute a query; return the rows of its result."""
    query = trails.start_query(QueryStatement=statement)["QueryId"]
    said = ended(trails, query)
    assert said["QueryStatus"] == "FINISHED", said.get("ErrorMessage")
    rows = trails.get_query_results(QueryId=query)["QueryResultRows"]
    return [{name: value for column in row for name, value in column.items()} for row in rows]
