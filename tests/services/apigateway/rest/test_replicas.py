"""Two processes of API Gateway over one PostgreSQL: REST APIs and their keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudlet.engines import postgres_server
from cloudlet.testing.server import Aws
from tests.postgres.replicas import replicas
from tests.services.apigateway.rest.cloud import RestCloud
from tests.standing import eventually


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RestCloud, RestCloud]]:
    """The same account on either."""
    folder = tmp_path_factory.mktemp("gateways")
    with postgres_server.run_temporary_server() as server, replicas("apigateway", server.url, folder) as running:
        yield (
            RestCloud(Aws(running.endpoint(0), running.account)),
            RestCloud(Aws(running.endpoint(1), running.account)),
        )


def test_a_deployment_reaches_the_other(both: tuple[RestCloud, RestCloud]) -> None:
    left, right = both
    api = left.rest_api()
    left.mocked(api, "/", template="one")
    left.deploy(api)
    assert right.call(api).body == b"one"
    names = {"restApiId": api, "resourceId": left.resource(api, "/"), "httpMethod": "GET", "statusCode": "200"}
    left.patch("update_integration_response", ("replace", "/responseTemplates/application~1json", "two"), **names)
    left.deploy(api)
    eventually(lambda: right.call(api).body, lambda body: body == b"two")


def test_a_quota_is_one_for_both(both: tuple[RestCloud, RestCloud]) -> None:
    left, right = both
    api = left.rest_api()
    left.mocked(api, "/", apiKeyRequired=True)
    left.deploy(api)
    stages = [{"apiId": api, "stage": "dev"}]
    plan = left.client.create_usage_plan(name="plan", apiStages=stages, quota={"limit": 3, "period": "MONTH"})["id"]
    key = left.client.create_api_key(name="key", enabled=True)
    left.client.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    headers = {"x-api-key": key["value"]}
    assert [left.call(api, headers=headers).status for _ in range(2)] == [200, 200]
    # What one has counted the other knows within a second or two; until then it may let more through.
    assert eventually(lambda: right.call(api, headers=headers).status, lambda status: status == 429)
    eventually(lambda: left.call(api, headers=headers).status, lambda status: status == 429)
    left.patch("update_api_key", ("replace", "/enabled", "false"), apiKey=key["id"])
    eventually(lambda: right.call(api, headers=headers).status, lambda status: status == 403)
