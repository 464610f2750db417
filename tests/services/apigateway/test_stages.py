"""Stages and deployments: what a stage answers with, its variables and settings."""

from __future__ import annotations

import pytest

from tests.modes import meaningless_in
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint

one_process = meaningless_in("replicas", because="another process hears of a deployment a moment later")


@one_process
def test_a_stage_answers_with_what_was_deployed_to_it(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.client.create_api(Name="shop", ProtocolType="HTTP")["ApiId"]
    assert (
        cloud.refused("create_deployment", ApiId=api)[1] == "At least one route is required before deploying the Api."
    )
    old = cloud.to_url(api, f"{endpoint.url}/old")
    new = cloud.to_url(api, f"{endpoint.url}/new")
    route = cloud.route(api, "GET /", old)
    cloud.client.create_stage(ApiId=api, StageName="live")
    assert cloud.ask(api, "/live/").status == 404
    first = cloud.client.create_deployment(ApiId=api, StageName="live", Description="one")
    assert (first["AutoDeployed"], first["DeploymentStatus"]) == (False, "DEPLOYED")
    assert cloud.ask(api, "/live/").json["path"] == "/old"
    cloud.client.update_route(ApiId=api, RouteId=route, Target=f"integrations/{new}")
    assert cloud.ask(api, "/live/").json["path"] == "/old"
    second = cloud.client.create_deployment(ApiId=api)
    cloud.client.update_stage(ApiId=api, StageName="live", DeploymentId=second["DeploymentId"])
    assert cloud.ask(api, "/live/").json["path"] == "/new"
    cloud.client.update_stage(ApiId=api, StageName="live", DeploymentId=first["DeploymentId"])
    assert cloud.ask(api, "/live/").json["path"] == "/old"
    refused = cloud.refused("delete_deployment", ApiId=api, DeploymentId=first["DeploymentId"])
    assert refused[1] == "Active stages pointing to this deployment must be moved or deleted"
    cloud.client.delete_deployment(ApiId=api, DeploymentId=second["DeploymentId"])
    (kept,) = cloud.client.get_deployments(ApiId=api)["Items"]
    assert kept["Description"] == "one"
    changed = cloud.client.update_deployment(ApiId=api, DeploymentId=kept["DeploymentId"], Description="first")
    assert changed["Description"] == "first"


def test_automatic_deployment_can_be_ended(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    route = cloud.route(api, "GET /", cloud.to_url(api, f"{endpoint.url}/old"))
    stage = cloud.client.get_stage(ApiId=api, StageName="$default")
    (deployment,) = cloud.client.get_deployments(ApiId=api)["Items"]
    assert (deployment["DeploymentId"], deployment["AutoDeployed"]) == (stage["DeploymentId"], True)
    assert cloud.refused("create_deployment", ApiId=api, StageName="$default")[0] == "BadRequestException"
    cloud.client.update_stage(ApiId=api, StageName="$default", AutoDeploy=False)
    other = cloud.to_url(api, f"{endpoint.url}/new")
    cloud.client.update_route(ApiId=api, RouteId=route, Target=f"integrations/{other}")
    assert cloud.ask(api).json["path"] == "/old"
    cloud.client.update_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    assert cloud.ask(api).json["path"] == "/new"


def test_variables_of_stages(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    cloud.route(api, "GET /", cloud.to_url(api, f"{endpoint.url}/${{stageVariables.name}}"))
    for name in ("dev", "live"):
        cloud.client.create_stage(ApiId=api, StageName=name, AutoDeploy=True, StageVariables={"name": name, "x": "1"})
        assert cloud.ask(api, f"/{name}/").json["path"] == f"/{name}"
    changed = cloud.client.update_stage(ApiId=api, StageName="dev", StageVariables={"name": "moved", "x": ""})
    assert changed["StageVariables"] == {"name": "moved"}
    assert cloud.ask(api, "/dev/").json["path"] == "/moved"
    cloud.client.delete_stage(ApiId=api, StageName="dev")
    assert cloud.ask(api, "/dev/").status == 404


def test_settings_of_routes(cloud: GatewayCloud) -> None:
    api = cloud.api()
    cloud.route(api, "GET /a")
    given = {"ApiId": api, "StageName": "$default"}
    changed = cloud.client.update_stage(**given, RouteSettings={"GET /a": {"ThrottlingBurstLimit": 3}})
    assert changed["RouteSettings"]["GET /a"]["ThrottlingBurstLimit"] == 3
    cloud.client.delete_route_settings(**given, RouteKey="GET /a")
    assert cloud.client.get_stage(**given)["RouteSettings"] == {}
    assert cloud.refused("update_stage", **given, RouteSettings={"GET /b": {"ThrottlingBurstLimit": 3}}) == (
        "NotFoundException",
        "Unable to find Route by key GET /b within the provided RouteSettings",
        404,
    )


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"StageName": "$default"}, "ConflictException"),
        ({"StageName": "a b"}, "BadRequestException"),
        ({"StageName": "a", "DeploymentId": "nowhere"}, "BadRequestException"),
        ({"StageName": "a", "StageVariables": {"a": "b c"}}, "BadRequestException"),
        ({"StageName": "a", "ClientCertificateId": "c"}, "NotImplemented"),
        ({"StageName": "a", "DefaultRouteSettings": {"LoggingLevel": "INFO"}}, "BadRequestException"),
        ({"StageName": "a", "DefaultRouteSettings": {"ThrottlingRateLimit": -1.0}}, "BadRequestException"),
        ({"StageName": "a", "AccessLogSettings": {"Format": "$context.requestId"}}, "BadRequestException"),
        (
            {
                "StageName": "a",
                "AccessLogSettings": {
                    "Format": "$context.stage",
                    "DestinationArn": "arn:aws:logs:us-east-1:123456789012:log-group:x",
                },
            },
            "BadRequestException",
        ),
    ],
)
def test_what_stages_may_not_be(cloud: GatewayCloud, given: dict[str, object], code: str) -> None:
    api = cloud.api()
    assert cloud.refused("create_stage", ApiId=api, **given)[0] == code
    assert len(cloud.client.get_stages(ApiId=api)["Items"]) == 1
    assert cloud.refused("get_stage", ApiId=api, StageName="nowhere")[1] == "Invalid stage identifier specified"
