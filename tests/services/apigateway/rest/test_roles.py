"""By whose role an API acts: by those of its own account only, also where stage variables name them."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.apigateway.rest.cloud import RestCloud


@pytest.fixture(scope="module")
def other(cloudlet_server: Server) -> RestCloud:
    """Clients of somebody else's account."""
    return RestCloud(Aws(cloudlet_server.endpoint, fresh_account()))


def test_a_stage_variable_names_no_role_of_another_account(cloud: RestCloud, other: RestCloud) -> None:
    sqs = other.aws.client("sqs")
    queue = sqs.create_queue(QueueName="theirs")["QueueUrl"]
    api = cloud.rest_api()
    names = cloud.method(api, "/send", "POST")
    cloud.client.put_integration(
        **names,
        type="AWS",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{cloud.aws.region}:sqs:path/{other.account}/theirs",
        credentials="arn:aws:iam::${stageVariables.account}:role/gateway",
        requestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        requestTemplates={"application/json": "Action=SendMessage&MessageBody=hello"},
    )
    cloud.response(names)
    cloud.deploy(api, variables={"account": other.account})
    answer = cloud.call(api, "/send", method="POST", body="{}")
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


@pytest.mark.parametrize("kind", ["AWS_PROXY", "AWS"])
def test_no_function_is_called_by_a_role_of_another_account(shared: RestCloud, other: RestCloud, kind: str) -> None:
    api = shared.rest_api()
    names = shared.method(api, "/run", "POST")
    role = "arn:aws:iam::${stageVariables.account}:role/gateway"
    shared.to_the_function(names, kind, credentials=role)
    if kind == "AWS":
        shared.response(names)
    shared.deploy(api, variables={"account": other.account})
    assert shared.call(api, "/run", method="POST", body="{}").status == 500
    shared.deploy(api, variables={"account": shared.account})
    assert shared.call(api, "/run", method="POST", body="{}").status == 200


def test_no_function_is_started_by_a_role_of_another_account(shared: RestCloud, other: RestCloud) -> None:
    api = shared.rest_api()
    names = shared.method(api, "/start", "POST")
    shared.to_the_function(
        names,
        "AWS",
        credentials="arn:aws:iam::${stageVariables.account}:role/gateway",
        requestParameters={"integration.request.header.X-Amz-Invocation-Type": "'Event'"},
    )
    shared.response(names)
    shared.deploy(api, variables={"account": other.account})
    assert shared.call(api, "/start", method="POST", body="{}").status == 500
    shared.deploy(api, variables={"account": shared.account})
    assert shared.call(api, "/start", method="POST", body="{}").status == 200


def test_an_authorizer_has_no_role_of_another_account(shared: RestCloud, other: RestCloud) -> None:
    api = shared.rest_api()
    given = {"restApiId": api, "name": "ask", "type": "TOKEN", "authorizerUri": shared.invocation()}
    code, message, status = shared.refused("create_authorizer", **given, authorizerCredentials=other.role)
    assert (code, message, status) == ("AccessDeniedException", "Cross-account pass role is not allowed.", 403)
    made = shared.client.create_authorizer(**given, authorizerCredentials=shared.role)
    assert made["authorizerCredentials"] == shared.role
    names = {"restApiId": api, "authorizerId": made["id"]}
    with pytest.raises(ClientError, match="Cross-account pass role is not allowed"):
        shared.patch("update_authorizer", ("replace", "/authorizerCredentials", other.role), **names)
    assert shared.client.get_authorizer(**names)["authorizerCredentials"] == shared.role
