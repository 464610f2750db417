"""Requests for load balancers by the front door, as clients send them that cannot resolve names."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.services.elbv2.lb_cloud import LbCloud
from tests.standing import eventually


def _ask(cloud: LbCloud, host: str, path: str = "/") -> tuple[int, str]:
    try:
        with urlopen(Request(cloud.aws.endpoint + path, headers={"Host": host})) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_the_host_names_a_load_balancer(cloud: LbCloud) -> None:
    balancer = cloud.create()
    for port in (8101, 80, 8102):
        answer: dict[str, Any] = {"StatusCode": "200", "ContentType": "application/json", "MessageBody": str(port)}
        action = {"Type": "fixed-response", "FixedResponseConfig": answer}
        cloud.listen(balancer["LoadBalancerArn"], port=port, DefaultActions=[action])
    found = eventually(lambda: cloud.get(balancer["LoadBalancerArn"]), lambda one: one["State"]["Code"] == "active")
    name = found["DNSName"]
    path = f"/_aws/elb/{name.partition('.')[0]}/a"
    for host, asked, port in ((name, "/", 80), ("localhost", path, 80), (f"{name}:8102", "/", 8102)):
        status, body = eventually(lambda host=host, asked=asked: _ask(cloud, host, asked), lambda one: one[0] == 200)
        assert (status, json.loads(body)) == (200, port)
