"""Functions that carry well-known libraries: Powertools, Flask behind a WSGI adapter, embedded metrics, Hono."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.e2e.client import PATH, Client
from tests.e2e.conftest import MakeClient
from tests.e2e.packages import create_function, node_package, node_runtime, package
from tests.standing import eventually
from tests.trusting import TrustingAws

SHOP = """
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="shop")
tracer = Tracer(service="shop")
metrics = Metrics(namespace="Shop", service="shop")
app = APIGatewayHttpResolver()


@app.post("/orders/<number>")
@tracer.capture_method
def order(number):
    if number == "0":
        raise NotFoundError("no such order")
    tracer.put_annotation("order", number)
    metrics.add_metric(name="Orders", unit=MetricUnit.Count, value=3)
    logger.info("an order", extra={"order": number})
    return {"number": number, "of": app.current_event.json_body["of"]}


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    return app.resolve(event, context)
"""
BATCH = """
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

processor = BatchProcessor(event_type=EventType.SQS)


def pack(record):
    if record.body == "glass":
        raise ValueError("broken")
    print("packed", record.body)


def handler(event, context):
    return process_partial_response(event=event, record_handler=pack, processor=processor, context=context)
"""
FLASK = """
from apig_wsgi import make_lambda_handler
from flask import Flask, Response, jsonify, request

app = Flask(__name__)


@app.get("/orders/<int:number>")
def order(number):
    tags = request.args.getlist("tag")
    return {"number": number, "tags": tags, "host": request.host, "cookie": request.cookies["who"]}


@app.post("/orders")
def add():
    answer = jsonify(request.get_json())
    answer.status_code = 201
    answer.set_cookie("first", "1")
    answer.set_cookie("second", "2")
    return answer


@app.get("/picture")
def picture():
    return Response(bytes(range(256)), mimetype="image/png")


handler = make_lambda_handler(app, binary_support=True)
"""
# AWS's own runtime for Python, in place of the one that the function would have.
RUNTIME = """#!/bin/sh
export PYTHONPATH=/var/task
exec "$1" -m awslambdaric "$_HANDLER"
"""
GREETING = """
import awslambdaric
import sys


def handler(event, context):
    if "fail" in event:
        raise ValueError(event["fail"])
    print("greeted", event["name"])
    return {
        "greeting": "Grüße an " + event["name"],
        "by": sys.modules["__main__"].__file__.removeprefix("/var/task/"),
        "context": [context.function_name, context.invoked_function_arn, context.client_context.custom["k"]],
        "in_time": 20_000 < context.get_remaining_time_in_millis() <= 30_000,
    }
"""
ONCE = """
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer, IdempotencyConfig, idempotent
)

kept = DynamoDBPersistenceLayer(table_name="answers")
charged = []


@idempotent(persistence_store=kept, config=IdempotencyConfig(event_key_jmespath="order"))
def handler(event, context):
    charged.append(event["order"])
    return {"order": event["order"], "charged": len(charged)}
"""
METRICS = """
from aws_embedded_metrics import metric_scope


@metric_scope
def handler(event, context, metrics):
    metrics.set_namespace("Shop")
    metrics.set_dimensions({"Counter": event["counter"]})
    for seconds in event["seconds"]:
        metrics.put_metric("Waited", seconds, "Seconds")
    metrics.set_property("Customer", "ann")
"""

HONO = """
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { Tracer } from "@aws-lambda-powertools/tracer";
import { Hono } from "hono";
import { handle, streamHandle } from "hono/aws-lambda";
import { stream } from "hono/streaming";

const logger = new Logger({ serviceName: "shop" });
const metrics = new Metrics({ namespace: "Shop", serviceName: "shop" });
const tracer = new Tracer({ serviceName: "shop" });
const app = new Hono();

app.get("/orders/:id", (c) => {
  const order = c.req.param("id");
  logger.info("an order", { order, trace: tracer.getRootXrayTraceId() });
  metrics.addMetric("Orders", MetricUnit.Count, 2);
  metrics.publishStoredMetrics();
  const pricing = tracer.getSegment().addNewSubsegment("pricing");
  pricing.addAnnotation("order", order);
  pricing.close();
  return c.json({ order, tags: c.req.queries("tag") });
});
app.post("/orders", async (c) => c.json(await c.req.json(), 201));
app.get("/words", (c) => stream(c, async (out) => {
  for (const word of ["a ", "few ", "wörds"]) await out.write(word);
}));

export const handler = handle(app);
export const streaming = streamHandle(app);
"""
HONO_NEEDS = (*(f"@aws-lambda-powertools/{name}" for name in ("logger", "metrics", "tracer")), "hono")


@pytest.fixture
def curl(client: MakeClient) -> Client:
    return client("curl")


def function_url(aws: Aws, mode: str = "BUFFERED") -> str:
    """Return the URL of a new address of the function."""
    given = aws.client("lambda").create_function_url_config(FunctionName="shop", AuthType="NONE", InvokeMode=mode)
    return str(given["FunctionUrl"]).rstrip("/")


def http_api(aws: Aws, function: str, version: str = "2.0") -> str:
    """Return the URL of an HTTP API that gives everything to a function."""
    gateway = aws.client("apigatewayv2")
    api = gateway.create_api(Name="shop", ProtocolType="HTTP", Target=function)
    integration = gateway.get_integrations(ApiId=api["ApiId"])["Items"][0]
    gateway.update_integration(
        ApiId=api["ApiId"], IntegrationId=integration["IntegrationId"], PayloadFormatVersion=version
    )
    aws.client("lambda").add_permission(
        FunctionName="shop",
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{aws.region}:{aws.account}:{api['ApiId']}/*/*",
    )
    return str(api["ApiEndpoint"])


def logged(aws: Aws, name: str, pattern: str) -> list[str]:
    """Return what a function has logged that fits a pattern, once there is something."""
    logs = aws.client("logs")

    def look() -> list[str]:
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern=pattern)
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in found["events"]]

    return eventually(look)


def total(aws: Aws, metric: str, **dimensions: str) -> dict[str, Any]:
    """Return the sum and the count of a metric's values, once there are any."""
    cloudwatch = aws.client("cloudwatch")

    def look() -> list[dict[str, Any]]:
        now = time.time()
        points: list[dict[str, Any]] = cloudwatch.get_metric_statistics(
            Namespace="Shop",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=now - 600,
            EndTime=now + 600,
            Period=3600,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"]
        return points

    return eventually(look)[0]


def traced(aws: Aws, trace: str, wanted: str) -> dict[str, Any]:
    """Return the segments and subsegments of a trace by their names, once that is among them which is wanted."""
    xray = aws.client("xray")

    def look() -> dict[str, Any]:
        traces = xray.batch_get_traces(TraceIds=[trace])["Traces"]
        documents = [json.loads(each["Document"]) for found in traces for each in found["Segments"]]
        return {each["name"]: each for document in documents for each in _flattened(document)}

    return eventually(look, lambda seen: wanted in seen)


def _flattened(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [document, *(each for inner in document.get("subsegments", []) for each in _flattened(inner))]


def test_powertools_behind_an_http_api(aws: Aws, curl: Client) -> None:
    code = package({"app.py": SHOP}, "aws-lambda-powertools[tracer]")
    function = create_function(aws, "shop", code, TracingConfig={"Mode": "Active"})
    url = http_api(aws, function)
    assert json.loads(curl.run("-sSf", "-d", '{"of": "a desk"}', f"{url}/orders/7")) == {"number": "7", "of": "a desk"}
    assert json.loads(curl.run("-sS", "-d", "{}", f"{url}/orders/0")) == {"statusCode": 404, "message": "no such order"}
    assert "404" in curl.run("-sS", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/nothing")

    said = json.loads(logged(aws, "shop", '{ $.message = "an order" }')[0])
    assert (said["service"], said["order"], said["cold_start"], said["function_arn"]) == ("shop", "7", True, function)
    assert said["correlation_id"]
    assert total(aws, "Orders", service="shop")["Sum"] == 3
    assert total(aws, "ColdStart", service="shop", function_name="shop")["Sum"] == 1

    found = traced(aws, said["xray_trace_id"], "## app.order")
    assert found["## app.order"]["annotations"] == {"order": "7"}
    assert found["## handler"]["annotations"] == {"ColdStart": True, "Service": "shop"}


def test_powertools_on_a_batch_of_which_one_fails(aws: Aws) -> None:
    function = create_function(aws, "pack", package({"app.py": BATCH}, "aws-lambda-powertools"), Timeout=5)
    sqs = aws.client("sqs")
    lost = sqs.create_queue(QueueName="lost")["QueueUrl"]
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{aws.region}:{aws.account}:lost", "maxReceiveCount": 1}
    queue = sqs.create_queue(
        QueueName="orders", Attributes={"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "5"}
    )["QueueUrl"]
    sqs.send_message_batch(
        QueueUrl=queue, Entries=[{"Id": each, "MessageBody": each} for each in ("desk", "glass", "chair")]
    )
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{aws.region}:{aws.account}:orders",
        FunctionName=function,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    packed = eventually(lambda: logged(aws, "pack", "packed"), lambda seen: len(seen) == 2)
    assert sorted(line.strip() for line in packed) == ["packed chair", "packed desk"]
    [given_up] = eventually(lambda: sqs.receive_message(QueueUrl=lost, WaitTimeSeconds=20).get("Messages", []))
    assert given_up["Body"] == "glass"


def test_powertools_charges_an_order_once(aws: Aws) -> None:
    aws.client("dynamodb").create_table(
        TableName="answers",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    create_function(aws, "charge", package({"app.py": ONCE}, "aws-lambda-powertools"))
    client = aws.client("lambda")

    def charge(order: int) -> Any:
        answer = client.invoke(FunctionName="charge", Payload=json.dumps({"order": order}))
        return json.loads(answer["Payload"].read())

    assert [charge(7), charge(7), charge(8), charge(7)] == [
        {"order": 7, "charged": 1},
        {"order": 7, "charged": 1},
        {"order": 8, "charged": 2},
        {"order": 7, "charged": 1},
    ]


@pytest.mark.parametrize("front", ["function URL", "HTTP API, format 1.0", "HTTP API, format 2.0"])
def test_flask_behind_a_wsgi_adapter(front: str, aws: Aws, curl: Client) -> None:
    function = create_function(aws, "shop", package({"app.py": FLASK}, "flask", "apig-wsgi"))
    url = function_url(aws) if front == "function URL" else http_api(aws, function, front.rpartition(" ")[2])

    told = json.loads(curl.run("-sSf", "-b", "who=ann", f"{url}/orders/7?tag=a&tag=b%20c"))
    assert (told["number"], told["cookie"]) == (7, "ann")
    assert told["tags"] == ["a", "b c"]
    assert told["host"]

    json_type = ("-H", "Content-Type: application/json")
    said = curl.run("-sS", "-i", "-d", '{"of": "ein Stück"}', *json_type, f"{url}/orders")
    head, _, body = said.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 201 ")
    assert [line for line in head.lower().split("\r\n") if line.startswith("set-cookie")] == [
        "set-cookie: first=1; path=/",
        "set-cookie: second=2; path=/",
    ]
    assert json.loads(body) == {"of": "ein Stück"}

    assert curl.attempt("-sSf", f"{url}/picture").stdout == bytes(range(256))
    assert curl.run("-sS", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/nothing") == "404"


def test_awslambdaric_in_place_of_the_runtime(aws: Aws) -> None:
    code = package({"app.py": GREETING, "runtime": RUNTIME}, "awslambdaric")
    wrapped = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/runtime"}}
    function = create_function(aws, "greet", code, Environment=wrapped)
    client = aws.client("lambda")
    context = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
    for name in ("ann", "bob"):
        event = json.dumps({"name": name})
        answer = client.invoke(FunctionName="greet", Payload=event, ClientContext=context, LogType="Tail")
        assert json.loads(answer["Payload"].read()) == {
            "greeting": f"Grüße an {name}",
            "by": "awslambdaric/__main__.py",
            "context": ["greet", function, "v"],
            "in_time": True,
        }
        assert f"greeted {name}\n" in base64.b64decode(answer["LogResult"]).decode()

    failed = client.invoke(FunctionName="greet", Payload='{"fail": "as asked"}')
    assert failed["FunctionError"] == "Unhandled"
    error = json.loads(failed["Payload"].read())
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "as asked")
    assert "app.py" in error["stackTrace"][0]


def test_embedded_metrics(aws: Aws) -> None:
    create_function(aws, "count", package({"app.py": METRICS}, "aws-embedded-metrics"))
    event = {"counter": "north", "seconds": [1, 2, 4.5]}
    answer = aws.client("lambda").invoke(FunctionName="count", Payload=json.dumps(event))
    assert "FunctionError" not in answer, answer["Payload"].read()
    found = total(aws, "Waited", Counter="north")
    assert (found["Sum"], found["SampleCount"], found["Unit"]) == (7.5, 3, "Seconds")
    assert json.loads(logged(aws, "count", '{ $.Customer = "ann" }')[0])["Waited"] == [1, 2, 4.5]


def test_hono_and_powertools_on_node(aws: Aws, client: MakeClient, curl: Client) -> None:
    code = node_package({"app.mjs": HONO}, *HONO_NEEDS)
    traced_here = {"Runtime": node_runtime(client), "TracingConfig": {"Mode": "Active"}}
    create_function(aws, "shop", code, **traced_here)
    url = function_url(aws)
    assert json.loads(curl.run("-sSf", f"{url}/orders/7?tag=a&tag=b")) == {"order": "7", "tags": ["a", "b"]}
    json_type = ("-H", "Content-Type: application/json")
    said = curl.run("-sS", "-w", " %{http_code}", "-d", '{"of": "ein Stück"}', *json_type, f"{url}/orders")
    assert said == '{"of":"ein Stück"} 201'

    line = json.loads(logged(aws, "shop", '{ $.message = "an order" }')[0])
    assert (line["service"], line["order"]) == ("shop", "7")
    assert total(aws, "Orders", service="shop")["Sum"] == 2
    assert traced(aws, line["trace"], "pricing")["pricing"]["annotations"] == {"order": "7"}


def test_the_javascript_sdk_trusts_the_endpoint(client: MakeClient, tmp_path: Path) -> None:
    source = """
import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
export const handler = async () => (await new SQSClient().send(new CreateQueueCommand({ QueueName: "made" }))).QueueUrl;
"""
    data = tmp_path / "data"
    with Server.start("--data", str(data), "--tls", env={"PATH": PATH}) as server:
        aws = TrustingAws(server.endpoint, fresh_account(), data=data)
        code = node_package({"app.mjs": source}, "@aws-sdk/client-sqs")
        create_function(aws, "make", code, Runtime=node_runtime(client))
        answer = json.loads(aws.client("lambda").invoke(FunctionName="make")["Payload"].read())
        assert isinstance(answer, str), answer
        assert answer == aws.client("sqs").get_queue_url(QueueName="made")["QueueUrl"]


def test_hono_answers_in_pieces(aws: Aws, client: MakeClient, curl: Client) -> None:
    code = node_package({"app.mjs": HONO}, *HONO_NEEDS)
    create_function(aws, "shop", code, Runtime=node_runtime(client), Handler="app.streaming")
    said = curl.run("-sSf", "-i", f"{function_url(aws, 'RESPONSE_STREAM')}/words")
    head, _, body = said.partition("\r\n\r\n")
    assert "\r\ntransfer-encoding: chunked" in head.lower()
    assert body == "a few wörds"
