"""What the shop's two public APIs have in common: they are found by their names, and call functions."""

from __future__ import annotations

from typing import Any


def create(gateway: Any, api_name: str, **settings: Any) -> dict[str, Any]:
    """Create an API, if there is none of that name already, and return its description."""
    found = find(gateway, api_name)
    return found if found is not None else dict(gateway.create_api(Name=api_name, **settings))


def find(gateway: Any, api_name: str) -> dict[str, Any] | None:
    """Return the description of an API, or None where there is none of that name."""
    pages = gateway.get_paginator("get_apis").paginate()
    return next((api for page in pages for api in page["Items"] if api["Name"] == api_name), None)


def route(gateway: Any, api_id: str, key: str, function_arn: str, payload: str, **settings: Any) -> None:
    """Lead a route to a function, which gets events of the format `payload`, if it is not there already."""
    if any(each["RouteKey"] == key for each in gateway.get_routes(ApiId=api_id)["Items"]):
        return
    integration = gateway.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=function_arn, PayloadFormatVersion=payload
    )
    gateway.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{integration['IntegrationId']}", **settings)


def arn(gateway: Any, account: str, api_id: str) -> str:
    """Return the ARN on behalf of which an API, in any of its stages and routes, calls functions."""
    return f"arn:aws:execute-api:{gateway.meta.region_name}:{account}:{api_id}/*"


def publish(gateway: Any, api_id: str, stage: str) -> None:
    """Have all that an API is, now and later, be there for everybody in a stage."""
    if all(each["StageName"] != stage for each in gateway.get_stages(ApiId=api_id)["Items"]):
        gateway.create_stage(ApiId=api_id, StageName=stage, AutoDeploy=True)


def delete(gateway: Any, api_name: str) -> None:
    found = find(gateway, api_name)
    if found is not None:
        gateway.delete_api(ApiId=found["ApiId"])
