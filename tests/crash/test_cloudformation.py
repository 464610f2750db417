"""The whole server, killed in the middle of stack operations: they go on where they were, and do nothing twice."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from botocore.config import Config

from cloudlet.testing.server import Aws, Server
from tests.services.cloudformation.deploying import BROKEN, Stacks, as_text, queue

_ACCOUNT = "123456789012"
_QUEUES = 120
_KILLS = 4
_ONCE = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=60)


def _template(delay: int, count: int = _QUEUES) -> dict[str, Any]:
    """Return a template of queues, each of which waits for another, ten at a time."""
    return {
        "Resources": {
            f"Queue{number}": {
                **queue(DelaySeconds=delay),
                **({"DependsOn": f"Queue{number - 10}"} if number >= 10 else {}),
            }
            for number in range(count)
        }
    }


def _carry_on(folder: Path, name: str, kills: int = _KILLS) -> None:
    """Start the server and kill it while it works on a stack, again and again; then let it finish."""
    for _ in range(kills):
        with Server.start("--data", str(folder)) as server:
            time.sleep(random.uniform(0.01, 0.15))
            server.kill()
    with Server.start("--data", str(folder)) as server:
        Stacks(Aws(server.endpoint, _ACCOUNT)).wait(name)


def _check(folder: Path, name: str, status: str, delay: int, count: int) -> None:
    with Server.start("--data", str(folder)) as server:
        stacks = Stacks(Aws(server.endpoint, _ACCOUNT))
        assert stacks.describe(name)["StackStatus"] == status
        sqs = stacks.aws.client("sqs")
        pages = sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1000})
        urls = [url for page in pages for url in page.get("QueueUrls", [])]
        assert len(urls) == count
        for url in random.sample(urls, min(10, count)):
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]
            assert attributes["DelaySeconds"] == str(delay)
        done = [event for event in stacks.events(name) if event[0] == "Queue7"]
        statuses = [status for _, status, _ in done]
        assert statuses.count("CREATE_COMPLETE") == 1
        assert statuses.count("UPDATE_COMPLETE") == (1 if delay > 1 else 0)


def test_a_killed_operation_goes_on_where_it_was(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        client = Aws(server.endpoint, _ACCOUNT).client("cloudformation", config=_ONCE)
        stack_id = client.create_stack(StackName="s", TemplateBody=as_text(_template(1)))["StackId"]
        time.sleep(random.uniform(0.0, 0.1))
        server.kill()
    _carry_on(tmp_path, stack_id)
    _check(tmp_path, stack_id, "CREATE_COMPLETE", 1, _QUEUES)

    with Server.start("--data", str(tmp_path)) as server:
        client = Aws(server.endpoint, _ACCOUNT).client("cloudformation", config=_ONCE)
        client.update_stack(StackName="s", TemplateBody=as_text(_template(2, _QUEUES - 20)))
        server.kill()
    _carry_on(tmp_path, stack_id)
    _check(tmp_path, stack_id, "UPDATE_COMPLETE", 2, _QUEUES - 20)

    with Server.start("--data", str(tmp_path)) as server:
        client = Aws(server.endpoint, _ACCOUNT).client("cloudformation", config=_ONCE)
        client.delete_stack(StackName="s")
        server.kill()
    _carry_on(tmp_path, stack_id)
    with Server.start("--data", str(tmp_path)) as server:
        stacks = Stacks(Aws(server.endpoint, _ACCOUNT))
        assert stacks.describe(stack_id)["StackStatus"] == "DELETE_COMPLETE"
        assert stacks.queues() == []


def test_a_stack_that_is_deleted_while_it_is_made_leaves_nothing(tmp_path: Path) -> None:
    for turn in range(3):
        folder = tmp_path / str(turn)
        with Server.start("--data", str(folder)) as server:
            client = Aws(server.endpoint, _ACCOUNT).client("cloudformation", config=_ONCE)
            stack_id = client.create_stack(StackName="s", TemplateBody=as_text(_template(1)))["StackId"]
            time.sleep(random.uniform(0.0, 0.2))
            client.delete_stack(StackName="s")
            server.kill()
        _carry_on(folder, stack_id, kills=1)
        with Server.start("--data", str(folder)) as server:
            stacks = Stacks(Aws(server.endpoint, _ACCOUNT))
            assert stacks.describe(stack_id)["StackStatus"] == "DELETE_COMPLETE"
            assert stacks.queues() == []


def test_a_rollback_goes_on_in_nested_stacks_and_keeps_what_they_had(tmp_path: Path) -> None:
    def outer(url: str, **others: Any) -> str:
        nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
        return as_text({"Resources": {"Inner": nested, **others}})

    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, _ACCOUNT)
        stacks, s3 = Stacks(aws), aws.client("s3")
        s3.create_bucket(Bucket="templates")
        urls = {}
        for name in ("before", "after"):
            template = {"Resources": {"Queue": queue(QueueName=name), "Key": {"Type": "AWS::KMS::Key"}}}
            s3.put_object(Bucket="templates", Key=name, Body=as_text(template))
            urls[name] = f"https://templates.s3.amazonaws.com/{name}"
        stack_id = stacks.create("outer", outer(urls["before"]))["StackId"]
        stacks.client.update_stack(
            StackName="outer", TemplateBody=outer(urls["after"], Bad={**BROKEN, "DependsOn": "Inner"})
        )
        time.sleep(random.uniform(0.0, 0.5))
        server.kill()
    _carry_on(tmp_path, stack_id, kills=2)
    with Server.start("--data", str(tmp_path)) as server:
        stacks = Stacks(Aws(server.endpoint, _ACCOUNT))
        assert stacks.describe(stack_id)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", stacks.events(stack_id)
        assert stacks.queues() == ["before"]
        stacks.client.delete_stack(StackName="outer")
        server.kill()
    _carry_on(tmp_path, stack_id, kills=2)
    with Server.start("--data", str(tmp_path)) as server:
        stacks = Stacks(Aws(server.endpoint, _ACCOUNT))
        assert stacks.describe(stack_id)["StackStatus"] == "DELETE_COMPLETE", stacks.events(stack_id)
        assert stacks.queues() == []
