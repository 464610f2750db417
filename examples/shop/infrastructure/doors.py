"""The public APIs: over HTTP customers order, over WebSockets browsers hear what becomes of the orders."""

from __future__ import annotations

from aws_cdk import CfnCondition, CfnOutput, CfnResource, Fn
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from constructs import Construct

from infrastructure.functions import Functions
from infrastructure.parameters import Parameters

AUDIENCE = "shop"
"""Whom the tokens of customers are for."""


class Doors(Construct):
    def __init__(self, scope: Construct, id: str, parameters: Parameters, functions: Functions) -> None:
        super().__init__(scope, id)
        live = gateway.WebSocketApi(
            self,
            "Live",
            api_name="shop-live",
            connect_route_options=gateway.WebSocketRouteOptions(
                integration=integrations.WebSocketLambdaIntegration("Connected", functions["connections"])
            ),
            disconnect_route_options=gateway.WebSocketRouteOptions(
                integration=integrations.WebSocketLambdaIntegration("Disconnected", functions["connections"])
            ),
        )
        gateway.WebSocketStage(self, "LiveStage", web_socket_api=live, stage_name="live", auto_deploy=True)
        for name in ("tickets", "progress"):
            functions[name].add_environment("SHOP_LIVE", f"{live.api_endpoint}/live")

        front = gateway.HttpApi(
            self,
            "Front",
            api_name="shop",
            default_authorizer=authorizers.HttpJwtAuthorizer(
                "Customers", parameters.issuer.value_as_string, jwt_audience=[AUDIENCE]
            ),
        )
        for method, path, name in (
            (gateway.HttpMethod.PUT, "/orders/{order}", "checkout"),
            (gateway.HttpMethod.GET, "/orders", "history"),
            (gateway.HttpMethod.POST, "/tickets", "tickets"),
        ):
            integration = integrations.HttpLambdaIntegration(name, functions[name])
            front.add_routes(path=path, methods=[method], integration=integration)
        has_issuer = CfnCondition(
            self, "HasIssuer", expression=Fn.condition_not(Fn.condition_equals(parameters.issuer, ""))
        )
        for each in front.node.find_all():
            if isinstance(each, CfnResource):
                each.cfn_options.condition = has_issuer
        address = CfnOutput(self, "Door", value=front.api_endpoint, description="The public HTTP API")
        address.condition = has_issuer
        address.override_logical_id("Door")
