"""watchtower, which makes Python's logging write to CloudWatch Logs: run by tests/e2e/test_python.py."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import watchtower

GROUP = "shop"
LOGS = boto3.client("logs")


@pytest.fixture
def logger(request: pytest.FixtureRequest) -> Iterator[logging.Logger]:
    """A logger whose stream is named like the test."""
    name = request.node.name
    handler = watchtower.CloudWatchLogHandler(
        log_group_name=GROUP,
        log_stream_name=name,
        boto3_client=LOGS,
        send_interval=1,
        log_group_retention_days=14,
        log_group_tags={"team": "shop"},
    )
    logger = logging.getLogger(name)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger
    handler.close()


def events(logger: logging.Logger) -> list[dict[str, Any]]:
    """Return what the logger has written."""
    for handler in logger.handlers:
        handler.flush()
    pages = LOGS.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNames=[logger.name])
    return [event for page in pages for event in page["events"]]


def test_lines_and_documents(logger: logging.Logger) -> None:
    logger.info("an order of %s", "Jürgen")
    logger.warning({"order": 7, "total": 20.5})
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("it failed")
    line, document, failure = (event["message"] for event in events(logger))
    assert line == "an order of Jürgen"
    assert json.loads(document) == {"order": 7, "total": 20.5}
    assert "ValueError: broken" in failure

    found = LOGS.filter_log_events(logGroupName=GROUP, filterPattern="{ $.total > 20 }")["events"]
    assert [json.loads(event["message"])["order"] for event in found] == [7]
    group = LOGS.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]
    assert group["retentionInDays"] == 14
    assert LOGS.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"team": "shop"}


def test_more_than_one_batch(logger: logging.Logger) -> None:
    for number in range(12_000):
        logger.info("line %d", number)
    assert [event["message"] for event in events(logger)] == [f"line {number}" for number in range(12_000)]


def test_lines_that_are_too_long_are_cut(logger: logging.Logger) -> None:
    logger.info("x" * 2_000_000)
    (event,) = events(logger)
    assert len(event["message"]) > 200_000
