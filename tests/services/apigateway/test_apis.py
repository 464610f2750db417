"""APIs themselves: created, shown, changed, tagged, deleted."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint


def test_an_api_is_kept(cloud: GatewayCloud) -> None:
    created = cloud.client.create_api(
        Name="shop", ProtocolType="HTTP", Description="of mine", Version="1", Tags={"team": "red"}
    )
    id = created["ApiId"]
    assert len(id) == 10
    assert created["ApiEndpoint"].endswith(f"/_aws/execute-api/{id}")
    assert created["RouteSelectionExpression"] == "$request.method $request.path"
    assert created["ApiKeySelectionExpression"] == "$request.header.x-api-key"
    assert created["DisableExecuteApiEndpoint"] is False
    shown = cloud.client.get_api(ApiId=id)
    assert {**shown, "ResponseMetadata": 0} == {**created, "ResponseMetadata": 0}
    cloud.client.update_api(ApiId=id, Name="other", Description="")
    changed = cloud.client.get_api(ApiId=id)
    assert (changed["Name"], changed.get("Description"), changed["Version"]) == ("other", None, "1")
    assert [each["Name"] for each in cloud.client.get_apis()["Items"]] == ["other"]
    cloud.client.delete_api(ApiId=id)
    assert cloud.client.get_apis()["Items"] == []
    assert cloud.refused("get_api", ApiId=id)[0] == "NotFoundException"
    assert cloud.ask(id).status == 404


def test_apis_of_others_are_not_to_be_seen(cloud: GatewayCloud) -> None:
    id = cloud.api()
    other = GatewayCloud(Aws(cloud.aws.endpoint, cloud.account, "eu-west-1"))
    assert other.client.get_apis()["Items"] == []
    assert other.refused("delete_api", ApiId=id)[0] == "NotFoundException"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ProtocolType": "WEBSOCKET"}, "BadRequestException"),
        ({"ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "action"}, "BadRequestException"),
        ({"ProtocolType": "HTTP", "RouteSelectionExpression": "$request.body.action"}, "BadRequestException"),
        ({"ProtocolType": "HTTP", "RouteKey": "GET /"}, "BadRequestException"),
        ({"ProtocolType": "HTTP", "Target": "nowhere"}, "BadRequestException"),
        ({"ProtocolType": "HTTP", "IpAddressType": "dualstack"}, "NotImplemented"),
        ({"ProtocolType": "HTTP", "CorsConfiguration": {"AllowMethods": ["DANCE"]}}, "BadRequestException"),
        (
            {"ProtocolType": "HTTP", "CorsConfiguration": {"AllowOrigins": ["*"], "AllowCredentials": True}},
            "BadRequestException",
        ),
        ({"ProtocolType": "HTTP", "Tags": {"aws:x": "1"}}, "BadRequestException"),
    ],
)
def test_what_apis_may_not_be(cloud: GatewayCloud, given: dict[str, object], code: str) -> None:
    assert cloud.refused("create_api", Name="x", **given)[0] == code
    assert cloud.client.get_apis()["Items"] == []


def test_quick_create(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api(Target=f"{endpoint.url}/one", RouteKey="GET /here")
    assert cloud.ask(api, "/here").json["path"] == "/one"
    (route,) = cloud.client.get_routes(ApiId=api)["Items"]
    assert (route["RouteKey"], route["ApiGatewayManaged"]) == ("GET /here", True)
    (stage,) = cloud.client.get_stages(ApiId=api)["Items"]
    assert (stage["StageName"], stage["AutoDeploy"], stage["ApiGatewayManaged"]) == ("$default", True, True)
    cloud.client.update_api(ApiId=api, Target=f"{endpoint.url}/two", RouteKey="GET /there")
    assert cloud.ask(api, "/here").status == 404
    assert cloud.ask(api, "/there").json["path"] == "/two"


def test_the_endpoint_can_be_closed(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api(Target=endpoint.url)
    assert cloud.ask(api).status == 200
    cloud.client.update_api(ApiId=api, DisableExecuteApiEndpoint=True)
    assert cloud.ask(api).status == 404


def test_an_api_is_found_by_its_host(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api(Target=endpoint.url)
    assert cloud.ask(api, host=f"{api}.execute-api.us-east-1.amazonaws.com").status == 200
    assert cloud.ask(api, host=f"{api}.execute-api.localhost").status == 200
    assert cloud.ask(api, host="nothing.execute-api.us-east-1.amazonaws.com").status == 404


def test_tags(cloud: GatewayCloud) -> None:
    api = cloud.api(Tags={"a": "1"})
    for arn in (
        f"arn:aws:apigateway:us-east-1::/apis/{api}",
        f"arn:aws:apigateway:us-east-1::/apis/{api}/stages/$default",
    ):
        cloud.client.tag_resource(ResourceArn=arn, Tags={"b": "2", "c": "3"})
        cloud.client.untag_resource(ResourceArn=arn, TagKeys=["c", "d"])
        assert cloud.client.get_tags(ResourceArn=arn)["Tags"]["b"] == "2"
    assert cloud.client.get_api(ApiId=api)["Tags"] == {"a": "1", "b": "2"}
    assert cloud.client.get_stage(ApiId=api, StageName="$default")["Tags"] == {"b": "2"}
    wrong = "arn:aws:apigateway:us-east-1::/apis/nowhere"
    assert cloud.refused("get_tags", ResourceArn=wrong)[0] == "NotFoundException"
    assert cloud.refused("get_tags", ResourceArn="nonsense")[0] == "BadRequestException"


def test_models(cloud: GatewayCloud) -> None:
    api = cloud.websocket_api_without_function()
    model = cloud.client.create_model(ApiId=api, Name="Order", Schema='{"type": "object"}')
    assert model["ContentType"] == "application/json"
    assert cloud.refused("create_model", ApiId=api, Name="Order", Schema="{}")[0] == "ConflictException"
    assert cloud.refused("create_model", ApiId=api, Name="Bad", Schema="{")[0] == "BadRequestException"
    cloud.client.update_model(ApiId=api, ModelId=model["ModelId"], Description="an order")
    assert cloud.client.get_models(ApiId=api)["Items"][0]["Description"] == "an order"
    cloud.client.delete_model(ApiId=api, ModelId=model["ModelId"])
    assert cloud.refused("get_model", ApiId=api, ModelId=model["ModelId"])[0] == "NotFoundException"
    assert cloud.refused("create_model", ApiId=cloud.api(), Name="Order", Schema="{}")[0] == "BadRequestException"


def test_responses(cloud: GatewayCloud) -> None:
    api = cloud.websocket_api_without_function()
    integration = cloud.integration(api, IntegrationType="MOCK")
    route = cloud.route(api, "say", integration)
    response = cloud.client.create_route_response(ApiId=api, RouteId=route, RouteResponseKey="$default")
    assert cloud.client.get_route_responses(ApiId=api, RouteId=route)["Items"][0]["RouteResponseKey"] == "$default"
    cloud.client.delete_route_response(ApiId=api, RouteId=route, RouteResponseId=response["RouteResponseId"])
    assert cloud.client.get_route_responses(ApiId=api, RouteId=route)["Items"] == []
    given = {"ApiId": api, "IntegrationId": integration}
    made = cloud.client.create_integration_response(**given, IntegrationResponseKey="$default")
    assert cloud.refused("create_integration_response", **given, IntegrationResponseKey="$default")[0] == (
        "ConflictException"
    )
    id = made["IntegrationResponseId"]
    cloud.client.update_integration_response(**given, IntegrationResponseId=id, IntegrationResponseKey="/2\\d\\d/")
    shown = cloud.client.get_integration_response(**given, IntegrationResponseId=id)
    assert shown["IntegrationResponseKey"] == "/2\\d\\d/"
    cloud.client.delete_integration_response(**given, IntegrationResponseId=id)
    assert cloud.client.get_integration_responses(**given)["Items"] == []
