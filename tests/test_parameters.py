"""No parameter is accepted and ignored: see scripts/check_parameters.py."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from scripts import check_parameters
from scripts.check_parameters import Block

API = """
from cloudlet.core import Context, Params, Result, Service, Transaction
from cloudlet.core.kernel.block import Block

service = Service("sqs")


@service.operation("CreateQueue")
async def create_queue(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"QueueUrl": url(params), "tags": {}}


def url(params: Params) -> str:
    return params["QueueName"]


@service.operation("ListQueues")
async def list_queues(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"QueueUrls": [found(params, each) for each in ("QueueNamePrefix", "MaxResults")]}


def found(params: Params, name: str) -> str:
    return params[name]


def elsewhere(params: Params) -> str:
    return params["NextToken"]


@service.operation("ChangeMessageVisibilityBatch")
async def change(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"Successful": [{"Id": entry["Id"]} for entry in params["Entries"]], "QueueUrl": params["QueueUrl"]}


def timeout(entry: Params) -> str:
    return entry["VisibilityTimeout"]


@service.job
async def settle(block: Block) -> None:
    print(block.entry["ReceiptHandle"])
"""


@pytest.fixture
def block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Block:
    """A block that reads some of its parameters."""
    package = tmp_path / "queues_that_ignore"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "api.py").write_text(API)
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("queues_that_ignore", "queues_that_ignore.api"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return Block("sqs", "queues_that_ignore.api")


def test_what_is_read_elsewhere_or_only_answered_is_not_read(block: Block) -> None:
    """Members of structures within may be read by jobs."""
    assert check_parameters.unread(block) == {
        ("CreateQueue", "Attributes"): ["CreateQueue"],
        ("CreateQueue", "tags"): ["CreateQueue"],
        ("ListQueues", "NextToken"): ["ListQueues"],
        ("ChangeMessageVisibilityBatchRequestEntry", "VisibilityTimeout"): ["ChangeMessageVisibilityBatch"],
    }


def test_what_is_listed_explains_it_and_has_to_go_once_it_is_read(block: Block, tmp_path: Path) -> None:
    listed = tmp_path / "parameters.toml"
    listed.write_text('[sqs.CreateQueue]\n"*" = "a"\n[sqs.ListQueues]\n"Next*" = "b"\nMaxResults = "c"\n')
    assert list(check_parameters.wrong(block, listed)) == [
        "sqs: ChangeMessageVisibilityBatchRequestEntry.VisibilityTimeout is read by nothing "
        "(ChangeMessageVisibilityBatch)",
        "sqs: ListQueues.MaxResults is listed in parameters.toml, and is read, or not there",
    ]


RECORD = """
class Queue:
    queue_name: str
    attributes: dict


def shown(queue):
    return {"QueueName": queue.queue_name, "Attributes": queue.attributes}


def act(queue):
    return queue.attributes["DelaySeconds"]
"""


def test_what_is_kept_and_only_shown_is_echoed(block: Block) -> None:
    block.trees.append(ast.parse(RECORD))
    assert check_parameters.echoed(block) == ["QueueName"]
