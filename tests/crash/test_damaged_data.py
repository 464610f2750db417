"""Data that cannot be read: an error, never a part of it as if that were all, and nothing is decided from a part."""

from __future__ import annotations

import io
import secrets
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"


class Kind(NamedTuple):
    """Resources of one block: how one is made, and how all are listed."""

    service: str
    make: Callable[[Any, str], object]
    operation: str
    result: str
    name: str
    params: dict[str, str] = {}  # noqa: RUF012


def _archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("f.py", "def handle(event, context): return event")
    return file.getvalue()


def _table(client: Any, name: str) -> None:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def _function(client: Any, name: str) -> None:
    code = {"ZipFile": _archive()}
    client.create_function(FunctionName=name, Runtime="python3.13", Handler="f.handle", Role=ROLE, Code=code)


def _schedule(client: Any, name: str) -> None:
    client.create_schedule(
        Name=name,
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": QUEUE, "RoleArn": ROLE},
    )


def _pipe(client: Any, name: str) -> None:
    client.create_pipe(Name=name, Source=QUEUE, Target=f"{QUEUE}-target", RoleArn=ROLE)


KINDS = [
    Kind("sqs", lambda client, name: client.create_queue(QueueName=name), "list_queues", "QueueUrls", ""),
    Kind("sns", lambda client, name: client.create_topic(Name=name), "list_topics", "Topics", "TopicArn"),
    Kind("s3", lambda client, name: client.put_object(Bucket="bucket", Key=name), "list_objects_v2", "Contents", "Key",
         {"Bucket": "bucket"}),
    Kind("dynamodb", _table, "list_tables", "TableNames", ""),
    Kind("lambda", _function, "list_functions", "Functions", "FunctionName"),
    Kind("apigateway", lambda client, name: client.create_rest_api(name=name), "get_rest_apis", "items", "name"),
    Kind("logs", lambda client, name: client.create_log_group(logGroupName=name), "describe_log_groups", "logGroups",
         "logGroupName"),
    Kind("cloudwatch", lambda client, name: client.put_dashboard(DashboardName=name, DashboardBody='{"widgets":[]}'),
         "list_dashboards", "DashboardEntries", "DashboardName"),
    Kind("events", lambda client, name: client.put_rule(Name=name, ScheduleExpression="rate(1 day)"), "list_rules",
         "Rules", "Name"),
    Kind("xray", lambda client, name: client.create_group(GroupName=name[:32]), "get_groups", "Groups", "GroupName"),
    Kind("scheduler", _schedule, "list_schedules", "Schedules", "Name"),
    Kind("pipes", _pipe, "list_pipes", "Pipes", "Name"),
    Kind("cloudtrail", lambda client, name: client.create_event_data_store(Name=name), "list_event_data_stores",
         "EventDataStores", "Name"),
]  # fmt: skip
FEW = {"cloudtrail": 5, "xray": 20}
"""How many of a kind AWS allows, where that is less than what is made here."""


def _client(server: Server, service: str) -> Any:
    return Aws(server.endpoint, ACCOUNT).client(service, config=Config(retries={"max_attempts": 0}))


def _listed(client: Any, kind: Kind) -> list[str]:
    """Return the names of a kind, with all pages."""
    if client.can_paginate(kind.operation):
        found = list(client.get_paginator(kind.operation).paginate(**kind.params).search(f"{kind.result}[]"))
    else:
        found = getattr(client, kind.operation)(**kind.params)[kind.result]
    # A queue's URL begins with the server's, which changes.
    return sorted((each[kind.name] if kind.name else each).rpartition("/")[2] for each in found)


def _make_all(server: Server) -> dict[str, list[str]]:
    """Make resources of all kinds; return their names by block."""
    sqs = _client(server, "sqs")
    for queue in ("q", "q-target"):
        sqs.create_queue(QueueName=queue)
    _client(server, "s3").create_bucket(Bucket="bucket")
    known = {}
    for kind in KINDS:
        client = _client(server, kind.service)
        for number in range(FEW.get(kind.service, 30)):
            kind.make(client, f"{number:02}-{secrets.token_hex(14)}")
        known[kind.service] = _listed(client, kind)
        assert len(known[kind.service]) >= FEW.get(kind.service, 30)
    return known


def _flip(data: Path) -> None:
    """Flip a byte in each block of each table of RocksDB's."""
    for file in data.glob("blocks/*/*.sst"):
        content = bytearray(file.read_bytes())
        # The last part has the index, the filters and the footer.
        for at in range(20, len(content) - min(len(content) // 4, 10_000), 500):
            content[at] ^= 0x40
        file.write_bytes(content)


def _refuses(server: Server, kind: Kind, known: list[str]) -> bool:
    """Whether a block refuses to list what it cannot read. What it has read before, it may list, all of it."""
    try:
        found = _listed(_client(server, kind.service), kind)
    except ClientError as error:
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500)
    assert found == known, kind.service
    return False


def test_flipped_bytes_are_errors_in_every_block_and_nothing_is_lost(tmp_path: Path) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    with Server.start("--data", str(data)) as server:
        known = _make_all(server)
        sqs = _client(server, "sqs")
        url = sqs.create_queue(QueueName="messages")["QueueUrl"]
        known["sqs"] = sorted([*known["sqs"], "messages"])
        for first in range(0, 1000, 10):
            entries = [{"Id": str(n), "MessageBody": f"{n} {secrets.token_hex(100)}"} for n in range(first, first + 10)]
            sqs.send_message_batch(QueueUrl=url, Entries=entries)
    shutil.copytree(data, kept)
    _flip(data)
    with Server.start("--data", str(data)) as server:
        refused = [kind.service for kind in KINDS if _refuses(server, kind, known[kind.service])]
        assert len(refused) > len(KINDS) - 3, refused
        with pytest.raises(ClientError):
            _client(server, "sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    for file in kept.glob("blocks/*/*.sst"):
        damaged = data / file.relative_to(kept)
        if damaged.exists():
            shutil.copyfile(file, damaged)
    with Server.start("--data", str(data)) as server:
        assert {kind.service: _listed(_client(server, kind.service), kind) for kind in KINDS} == known
        sqs = _client(server, "sqs")
        url = sqs.get_queue_url(QueueName="messages")["QueueUrl"]
        received: set[str] = set()
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            received.update(message["Body"].split()[0] for message in messages)
        assert len(received) == 1000


@pytest.fixture(scope="session")
def unreadable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library by which reads of tables fail."""
    library = tmp_path_factory.mktemp("unreadable") / "unreadable.so"
    source = Path(__file__).with_name("unreadable.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def test_a_disk_that_cannot_be_read_is_an_error_in_every_block_until_it_can(tmp_path: Path, unreadable: Path) -> None:
    data, flag = tmp_path / "data", tmp_path / "flag"
    with Server.start("--data", str(data)) as server:
        known = _make_all(server)
    with Server.start("--data", str(data), env={"LD_PRELOAD": str(unreadable), "UNREADABLE": str(flag)}) as server:
        flag.touch()
        refused = [kind.service for kind in KINDS if _refuses(server, kind, known[kind.service])]
        assert len(refused) > len(KINDS) - 3, refused
        flag.unlink()
        assert {kind.service: _listed(_client(server, kind.service), kind) for kind in KINDS} == known
