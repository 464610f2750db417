"""Service Connect: tasks of a namespace reach each other by names, through proxies beside them."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from tests.refused import refused
from tests.services.ecs.connected import LOCAL, RAW, Connected
from tests.services.ecs.serving import is_settled
from tests.standing import Standing, eventually


@pytest.fixture
def web(standing: Standing) -> Connected:
    return Connected(standing.account())


def settle(standing: Standing, web: Connected) -> None:
    """Let tasks run for as long as they must, to count as healthy."""
    eventually(lambda: standing.advance("5s") or web.look(), is_settled)


def read(standing: Standing, web: Connected) -> list[str]:
    """Return what the service that calls has logged by now."""
    standing.advance("1s")
    return web.read_client()


def test_a_task_reaches_another_service_by_its_name(standing: Standing, web: Connected) -> None:
    web.publish()
    web.serve([{**LOCAL, "ingressPortOverride": 8080}, RAW], {"format": "TEXT"})
    settle(standing, web)
    instances = web.map.discover_instances(NamespaceName="internal", ServiceName="web")["Instances"]
    assert [each["Attributes"]["AWS_INSTANCE_PORT"] for each in instances] == ["8080", "8080"]
    get = "wget -q -O -"
    web.call(
        f"grep shop /etc/hosts; while true; do echo http $({get} http://shop/item?key=1 || echo failed);"
        f"echo tcp $({get} http://shop:81/item || echo failed); done"
    )
    told = eventually(lambda: read(standing, web), lambda lines: len(lines) > 10)
    assert told[0] == "127.255.0.1 shop"
    # They take turns.
    assert len(Counter(told[1:])) == 4, told
    assert web.ecs.list_services_by_namespace(namespace="internal")["serviceArns"] == [
        f"arn:aws:ecs:us-east-1:{web.aws.account}:service/default/{name}" for name in ("client", "web")
    ]
    # What comes to a task has passed the proxy beside it, and what that writes is in the service's logs.
    first = web.list_tasks()[0]
    for wanted in (
        r'\[[\dT:.Z-]+\] "GET /item HTTP/1.1" 200 0 \d+ \d+ \d+ "-" .* "127.0.0.1:80"',
        r"\[[\dT:.Z-]+\] 1[\d. :]+ - \d+",
    ):
        lines = eventually(lambda: web.read_proxy(first), lambda lines: any(re.match(wanted, line) for line in lines))  # noqa: B023
    assert any("starting main dispatch loop" in line for line in lines)
    assert not any("key=1" in line for line in lines)
    # A deployment replaces all tasks, and no request is lost.
    web.update(forceNewDeployment=True)
    settle(standing, web)
    seen = len(read(standing, web))
    told = eventually(lambda: read(standing, web), lambda lines: len(lines) > seen + 10)
    assert not [line for line in told if "failed" in line]
    assert len(Counter(told[1:])) == 8, sorted(Counter(told[1:]))
    web.ecs.delete_service(service="web", force=True)
    eventually(lambda: web.map.list_services()["Services"], lambda listed: not listed)


def test_what_makes_no_sense_is_refused(web: Connected) -> None:
    ports = [{"containerPort": 80, "name": "web"}, {"containerPort": 443}]
    web.register({"portMappings": ports}, family="web", mode="awsvpc")

    def refuse(**members: Any) -> tuple[str, str]:
        connect = {"enabled": True, "services": [LOCAL], **members}
        return refused(web.create, networkConfiguration=web.network, serviceConnectConfiguration=connect)

    assert refuse(namespace="none") == ("NamespaceNotFoundException", "The specified namespace was not found.")
    code, message = refuse(services=[{**LOCAL, "portName": "none"}])
    assert (code, message) == (
        "InvalidParameterException",
        "The task definition has no port mapping with the name none.",
    )
    assert refuse(services=[{**LOCAL, "discoveryName": "-x"}])[0] == "InvalidParameterException"
    assert refuse(services=[LOCAL, LOCAL])[0] == "InvalidParameterException"
    code, message = refuse(services=[{**LOCAL, "ingressPortOverride": 443}])
    assert message == "The ingressPortOverride 443 is a container port of the task definition."
    code, message = refuse(accessLogConfiguration={"format": "TEXT"})
    assert message == "accessLogConfiguration requires a logConfiguration of Service Connect."
    tls = {"issuerCertificateAuthority": {"awsPcaAuthorityArn": "arn:aws:acm-pca:us-east-1:1:certificate-authority/a"}}
    code, message = refuse(services=[{**LOCAL, "tls": tls}])
    assert (code, "AWS Private CA" in message) == ("ClientException", True)
    header = {**LOCAL["clientAliases"][0], "testTrafficRules": {"header": {"name": "x-test"}}}
    code, message = refuse(services=[{**LOCAL, "clientAliases": [header]}])
    assert message == "testTrafficRules can only be set for an appProtocol other than TCP."
    web.create(
        desiredCount=0,
        networkConfiguration=web.network,
        serviceConnectConfiguration={"enabled": True, "services": [LOCAL]},
    )
    code, message = refused(
        web.create,
        serviceName="other",
        networkConfiguration=web.network,
        serviceConnectConfiguration={"enabled": True, "services": [LOCAL]},
    )
    assert message == "The discoveryName web is used by another service."


def test_a_deployment_shifts_the_traffic_of_proxies(standing: Standing, web: Connected) -> None:
    rule = {"header": {"name": "X-Try", "value": {"exact": "new"}}}
    alias = {**LOCAL["clientAliases"][0], "testTrafficRules": rule}
    waiting = ["PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"]
    steps = {"canaryPercent": 50.0, "canaryBakeTimeInMinutes": 1}
    hook = {"targetType": "PAUSE", "lifecycleStages": waiting}
    canary = {"strategy": "CANARY", "bakeTimeInMinutes": 0, "canaryConfiguration": steps, "lifecycleHooks": [hook]}
    answer = "mkdir /tmp/www; echo {} > /tmp/www/item; exec httpd -f -h /tmp/www"

    def go_on(stage: str, percent: float) -> None:
        def is_there(operation: dict[str, Any]) -> bool:
            target = operation["targetServiceRevision"]
            has_paused = any(each["status"] == "AWAITING_ACTION" for each in operation["lifecycleHookDetails"])
            return has_paused and (operation["lifecycleStage"], target["requestedProductionTrafficWeight"]) == (
                stage,
                percent,
            )

        def look() -> dict[str, Any]:
            standing.advance("5s")
            return web.list_operations()[0]

        operation = eventually(look, is_there)
        count_answers(percent)
        (paused,) = (each for each in operation["lifecycleHookDetails"] if each["status"] == "AWAITING_ACTION")
        arn = operation["serviceDeploymentArn"]
        web.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=paused["hookId"])

    def count_answers(percent: float) -> None:
        """Wait until answers come from the tasks that are to give them."""

        def is_shifted(counts: Counter[str]) -> bool:
            share = 100 * counts["all new"] / (counts["all new"] + counts["all old"])
            margin = 15 if 0 < percent < 100 else 0
            return abs(share - percent) <= margin and not counts["test old"]

        eventually(lambda: Counter(read(standing, web)[-40:]), is_shifted)

    web.publish(answer.format("old"))
    web.serve(
        [{**LOCAL, "clientAliases": [alias]}],
        {"format": "JSON"},
        desiredCount=1,
        deploymentConfiguration={**canary, "lifecycleHooks": []},
    )
    settle(standing, web)
    get = "wget -q -O -"
    web.call(
        f"while true; do echo all $({get} http://shop/item || echo failed);"
        f"echo test $({get} --header 'x-try: new' http://shop/item || echo failed); done"
    )
    told = eventually(lambda: read(standing, web), lambda lines: len(lines) > 5)
    assert set(told) == {"all old", "test old"}
    web.publish(answer.format("new"))
    web.update(taskDefinition="web", deploymentConfiguration=canary)
    go_on("PRE_PRODUCTION_TRAFFIC_SHIFT", 0.0)
    go_on("PRE_PRODUCTION_TRAFFIC_SHIFT", 50.0)
    go_on("POST_PRODUCTION_TRAFFIC_SHIFT", 100.0)
    settle(standing, web)
    assert not any("failed" in line for line in read(standing, web))
    written = [json.loads(line) for line in web.read_proxy(web.list_tasks()[0]) if line.startswith("{")]
    assert {(each["method"], each["path"], each["response_code"]) for each in written} == {("GET", "/item", 200)}
    check_metrics(standing, web)


def check_metrics(standing: Standing, web: Connected) -> None:
    """Check that CloudWatch has what proxies have counted, by the names of both sides."""
    watch = web.aws.client("cloudwatch")
    begin = len(web.read_client())

    def add_up(name: str, statistic: str = "Sum", **dimensions: str) -> float:
        found = watch.get_metric_statistics(
            Namespace="AWS/ECS",
            MetricName=name,
            Dimensions=[{"Name": each, "Value": value} for each, value in dimensions.items()],
            StartTime="2029-01-01T00:00:00Z",
            EndTime="2031-01-01T00:00:00Z",
            Period=86400,
            Statistics=[statistic],
        )
        return sum(each[statistic] for each in found["Datapoints"])

    def look(name: str, *statistics: str, **dimensions: str) -> float:
        standing.advance("1m")
        return add_up(name, *statistics, **dimensions)

    server = {"DiscoveryName": "web", "ServiceName": "web", "ClusterName": "default"}
    client = {"TargetDiscoveryName": "web", "ServiceName": "client", "ClusterName": "default"}
    for name, dimensions in (("RequestCount", server), ("HTTPCode_Target_2XX_Count", client)):
        eventually(lambda name=name, to=dimensions: look(name, **to), lambda count: count >= begin)  # type: ignore[misc]
    assert add_up("RequestCount", DiscoveryName="web") >= begin
    assert add_up("ProcessedBytes", **server) > 100 * begin
    assert add_up("NewConnectionCount", **server) > 0
    assert add_up("HTTPCode_Target_5XX_Count", **client) == 0
    # Envoy adds up its histograms every five seconds.
    eventually(lambda: look("TargetResponseTime", "SampleCount", **client))
