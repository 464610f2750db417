"""Measure the time that strict mode adds to a call: `python -m benchmarks.permissions [--rounds 7] [--calls 4000]`.

SendMessage and GetItem are called by a user with ten policies, within this process, by turns in open and in strict
mode; the difference of the medians is what checks cost. The policies depend on nothing but action and resource, or have
a condition (the caller's address), which has to be looked at for each call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.context import Context
from cloudlet.core.kernel.identity import Principal, root
from cloudlet.core.kernel.tokens import TokenSealer

ACCOUNT, REGION = "123456789012", "us-east-1"
POLICIES = 10
QUEUE, TABLE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:measured", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/measured"
FROM_HERE = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
KEY = {"id": {"S": "1"}}
CALLS: Mapping[tuple[str, str], dict[str, Any]] = {
    ("sqs", "SendMessage"): {"MessageBody": "x" * 100},
    ("dynamodb", "GetItem"): {"TableName": "measured", "Key": KEY},
}
SERVICES = frozenset(("dynamodb", "iam", "sqs"))


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=4000)
    options = parser.parse_args()
    for kind, condition in (("no conditions", {}), ("a condition", {"Condition": FROM_HERE})):
        with tempfile.TemporaryDirectory(prefix="permissions-") as folder:
            clouds = {mode: await _prepare(Path(folder) / mode, mode, condition) for mode in ("open", "strict")}
            await _compare(kind, clouds, options.rounds, options.calls)
            for cloud, _ in clouds.values():
                await cloud.close()


async def _prepare(folder: Path, mode: str, condition: dict[str, Any]) -> tuple[Cloud, Principal]:
    """Return a cloud with a queue, a table and a user, who has ten policies."""
    folder.mkdir()
    config = Config(folder, durable=False, auth="strict" if mode == "strict" else "open", services=SERVICES)
    cloud = Cloud(config, TokenSealer(b"k" * 32))

    async def call(service: str, operation: str, params: dict[str, Any]) -> Any:
        return await cloud.call(service, operation, params, principal=root(ACCOUNT), account=ACCOUNT, region=REGION)

    await call("sqs", "CreateQueue", {"QueueName": "measured"})
    key = {"AttributeName": "id", "AttributeType": "S"}
    schema = [{"AttributeName": "id", "KeyType": "HASH"}]
    billing = {"BillingMode": "PAY_PER_REQUEST"}
    await call(
        "dynamodb",
        "CreateTable",
        {"TableName": "measured", "AttributeDefinitions": [key], "KeySchema": schema, **billing},
    )
    await call("dynamodb", "PutItem", {"TableName": "measured", "Item": KEY})
    user = (await call("iam", "CreateUser", {"UserName": "bob"}))["User"]
    for number in range(POLICIES):
        statements = [
            {"Effect": "Allow", "Action": [f"s3:Get{number}*", f"sns:Publish{number}"], "Resource": "*"},
            {"Effect": "Deny", "Action": "dynamodb:DeleteTable", "Resource": "*"},
        ]
        if number == POLICIES - 1:
            actions = ["sqs:SendMessage", "dynamodb:GetItem"]
            statements.append({"Effect": "Allow", "Action": actions, "Resource": [QUEUE, TABLE], **condition})
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        policy = {"UserName": "bob", "PolicyName": f"policy-{number}", "PolicyDocument": document}
        await call("iam", "PutUserPolicy", policy)
    return cloud, Principal("user", ACCOUNT, user["Arn"], user["UserId"], "AKIAEXAMPLE")


async def _compare(kind: str, clouds: dict[str, tuple[Cloud, Principal]], rounds: int, calls: int) -> None:
    for (service, operation), params in CALLS.items():
        figures: dict[str, list[float]] = {mode: [] for mode in clouds}
        for number in range(rounds + 1):
            for mode in sorted(clouds, reverse=bool(number % 2)):
                cloud, principal = clouds[mode]
                url = {"QueueUrl": f"{cloud.config.endpoint}/{ACCOUNT}/measured"} if service == "sqs" else {}
                taken = await _time(cloud.block(service), principal, operation, params | url, calls)
                if number:
                    # The first round warms up.
                    figures[mode].append(taken)
        is_open, strict = (statistics.median(figures[mode]) for mode in ("open", "strict"))
        print(f"{operation:<12} {kind:<14} {is_open:>6.1f} µs, strict {strict:>6.1f} µs: {strict - is_open:>+5.1f} µs")


async def _time(block: Block, principal: Principal, operation: str, params: dict[str, Any], calls: int) -> float:
    """Return the processor time of a call, in microseconds."""
    began = time.process_time()
    for number in range(calls):
        context = Context(block, principal, ACCOUNT, REGION, f"request-{number}", block.cloud.config.endpoint)
        await block.run(context, operation, params)
    return (time.process_time() - began) / calls * 1e6


if __name__ == "__main__":
    asyncio.run(main())
