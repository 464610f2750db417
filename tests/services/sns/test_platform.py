"""Platform applications and the endpoints of apps on devices."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import refused

_APPLE_TOKEN = "0123456789abcdef" * 4


@pytest.fixture
def application(sns: Any) -> str:
    return str(_created(sns, "shop", "GCM", PlatformCredential="key"))


def _created(sns: Any, name: str, platform: str, **attributes: str) -> Any:
    created = sns.create_platform_application(Name=name, Platform=platform, Attributes=attributes)
    return created["PlatformApplicationArn"]


def _invalid(text: str) -> tuple[str, str]:
    return "InvalidParameter", f"Invalid parameter: {text}"


def test_an_application_is_created_once(sns: Any, aws: Aws, application: str) -> None:
    assert application == f"arn:aws:sns:us-east-1:{aws.account}:app/GCM/shop"
    assert _created(sns, "shop", "GCM", PlatformCredential="key") == application
    assert refused(
        sns.create_platform_application, Name="shop", Platform="GCM", Attributes={"PlatformCredential": "another"}
    ) == (
        "InvalidParameter",
        f"Attributes Reason: Platform application {application} already exists with different attributes",
    )
    apple = _created(sns, "shop", "APNS", PlatformCredential="key", PlatformPrincipal="certificate")
    listed = sns.list_platform_applications()["PlatformApplications"]
    assert {each["PlatformApplicationArn"] for each in listed} == {application, apple}


def test_credentials_are_shown_to_nobody(sns: Any, application: str) -> None:
    shown = sns.get_platform_application_attributes(PlatformApplicationArn=application)["Attributes"]
    assert shown == {"Enabled": "true", "AuthenticationMethod": "key"}
    (listed,) = sns.list_platform_applications()["PlatformApplications"]
    assert listed["Attributes"] == shown


@pytest.mark.parametrize(
    ("platform", "attributes", "method"),
    [
        ("GCM", {"PlatformCredential": '{"type":"service_account"}'}, "token"),
        ("APNS", {"PlatformCredential": "key", "PlatformPrincipal": "certificate"}, "certificate"),
        (
            "APNS_SANDBOX",
            {
                "PlatformCredential": "signing key",
                "PlatformPrincipal": "key id",
                "ApplePlatformTeamID": "TEAM",
                "ApplePlatformBundleID": "com.example.shop",
            },
            "token",
        ),
    ],
)
def test_how_an_application_authenticates(sns: Any, platform: str, attributes: dict[str, str], method: str) -> None:
    arn = _created(sns, "shop", platform, **attributes)
    shown = sns.get_platform_application_attributes(PlatformApplicationArn=arn)["Attributes"]
    assert shown["AuthenticationMethod"] == method
    assert shown.get("ApplePlatformTeamID") == attributes.get("ApplePlatformTeamID")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Name": "a b"}, "Name Reason: Name must match [A-Za-z0-9_.-]{1,256}"),
        ({"Name": ""}, "Name Reason: Name must match [A-Za-z0-9_.-]{1,256}"),
        ({"Platform": "PIGEON"}, "Platform Reason: PIGEON is not supported"),
        ({"Platform": "APNS"}, "Attributes Reason: PlatformPrincipal is required for APNS"),
        ({"Attributes": {"PlatformPrincipal": "id"}}, "Attributes Reason: PlatformCredential is required"),
        (
            {"Attributes": {"PlatformCredential": "key", "Colour": "blue"}},
            "Attributes Reason: Unknown attribute Colour",
        ),
        (
            {"Attributes": {"PlatformCredential": "key", "Enabled": "maybe"}},
            "Attributes Reason: Invalid value for attribute: Enabled",
        ),
        (
            {"Attributes": {"PlatformCredential": "x" * 16_385}},
            "Attributes Reason: PlatformCredential is longer than 16384 characters",
        ),
    ],
)
def test_applications_that_are_refused(sns: Any, change: dict[str, Any], message: str) -> None:
    params = {"Name": "shop", "Platform": "GCM", "Attributes": {"PlatformCredential": "key"}}
    assert refused(sns.create_platform_application, **{**params, **change}) == ("InvalidParameter", message)
    assert sns.list_platform_applications()["PlatformApplications"] == []


def test_events_are_refused_rather_than_ignored(sns: Any, application: str, aws: Aws) -> None:
    topic = f"arn:aws:sns:us-east-1:{aws.account}:events"
    params = {"PlatformApplicationArn": application, "Attributes": {"EventEndpointCreated": topic}}
    assert refused(sns.set_platform_application_attributes, **params)[0] == "NotImplemented"


def test_an_application_changes_and_goes_with_its_endpoints(sns: Any, application: str) -> None:
    sns.set_platform_application_attributes(PlatformApplicationArn=application, Attributes={"Enabled": "false"})
    shown = sns.get_platform_application_attributes(PlatformApplicationArn=application)["Attributes"]
    assert shown["Enabled"] == "false"
    sns.set_platform_application_attributes(PlatformApplicationArn=application, Attributes={"Enabled": "True"})
    shown = sns.get_platform_application_attributes(PlatformApplicationArn=application)["Attributes"]
    assert shown["Enabled"] == "true"
    params = {"PlatformApplicationArn": application, "Attributes": {"PlatformCredential": ""}}
    assert refused(sns.set_platform_application_attributes, **params) == _invalid(
        "Attributes Reason: PlatformCredential is required"
    )
    endpoint = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="device")["EndpointArn"]
    for _ in range(2):
        sns.delete_platform_application(PlatformApplicationArn=application)
    missing = ("NotFound", "PlatformApplication does not exist")
    assert refused(sns.get_platform_application_attributes, PlatformApplicationArn=application) == missing
    assert refused(sns.get_endpoint_attributes, EndpointArn=endpoint) == ("NotFound", "Endpoint does not exist")
    _created(sns, "shop", "GCM", PlatformCredential="key")
    listed = sns.list_endpoints_by_platform_application(PlatformApplicationArn=application)["Endpoints"]
    assert listed == []


def test_a_device_has_one_endpoint(sns: Any, application: str, aws: Aws) -> None:
    params = {"PlatformApplicationArn": application, "Token": "device"}
    arn = sns.create_platform_endpoint(**params, CustomUserData="alice")["EndpointArn"]
    assert arn.startswith(f"arn:aws:sns:us-east-1:{aws.account}:endpoint/GCM/shop/")
    assert sns.create_platform_endpoint(**params, CustomUserData="alice")["EndpointArn"] == arn
    assert refused(sns.create_platform_endpoint, **params, CustomUserData="bob") == _invalid(
        f"Token Reason: Endpoint {arn} already exists with the same Token, but different attributes."
    )
    attributes = {"Enabled": "true", "Token": "device", "CustomUserData": "alice"}
    assert sns.get_endpoint_attributes(EndpointArn=arn)["Attributes"] == attributes
    listed = sns.list_endpoints_by_platform_application(PlatformApplicationArn=application)["Endpoints"]
    assert listed == [{"EndpointArn": arn, "Attributes": attributes}]


def test_endpoints_are_listed_in_pages(sns: Any, application: str) -> None:
    made = {
        sns.create_platform_endpoint(PlatformApplicationArn=application, Token=f"device-{number}")["EndpointArn"]
        for number in range(101)
    }
    pages = sns.get_paginator("list_endpoints_by_platform_application").paginate(PlatformApplicationArn=application)
    listed = [page["Endpoints"] for page in pages]
    assert [len(page) for page in listed] == [100, 1]
    assert {each["EndpointArn"] for page in listed for each in page} == made


def test_an_endpoint_changes(sns: Any, application: str) -> None:
    arns = [
        sns.create_platform_endpoint(PlatformApplicationArn=application, Token=token)["EndpointArn"]
        for token in ("one", "two")
    ]
    sns.set_endpoint_attributes(EndpointArn=arns[0], Attributes={"Token": "three", "Enabled": "False"})
    assert sns.get_endpoint_attributes(EndpointArn=arns[0])["Attributes"] == {"Token": "three", "Enabled": "false"}
    again = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="one")["EndpointArn"]
    assert again not in arns
    assert refused(sns.set_endpoint_attributes, EndpointArn=arns[0], Attributes={"Token": "two"}) == _invalid(
        f"Token Reason: Endpoint {arns[1]} already exists with the same Token."
    )
    for wrong, message in (
        ({"Colour": "blue"}, "Attributes Reason: Invalid attribute name: Colour"),
        ({"Enabled": "1"}, "Attributes Reason: Invalid value for attribute: Enabled"),
        ({"Token": ""}, "Token Reason: must be 1 to 2048 bytes long"),
        ({"CustomUserData": "ä" * 1025}, "CustomUserData Reason: must be at most 2048 bytes long in UTF-8 encoding"),
    ):
        assert refused(sns.set_endpoint_attributes, EndpointArn=arns[0], Attributes=wrong) == _invalid(message)


def test_an_endpoint_is_deleted_once_and_again(sns: Any, application: str) -> None:
    params = {"PlatformApplicationArn": application, "Token": "device"}
    arn = sns.create_platform_endpoint(**params)["EndpointArn"]
    for _ in range(2):
        sns.delete_endpoint(EndpointArn=arn)
    assert refused(sns.get_endpoint_attributes, EndpointArn=arn) == ("NotFound", "Endpoint does not exist")
    assert sns.create_platform_endpoint(**params)["EndpointArn"] != arn


def test_apples_tokens_are_hexadecimal(sns: Any) -> None:
    application = _created(sns, "shop", "APNS", PlatformCredential="key", PlatformPrincipal="certificate")
    params = {"PlatformApplicationArn": application}
    arn = sns.create_platform_endpoint(**params, Token=_APPLE_TOKEN.upper())["EndpointArn"]
    assert sns.get_endpoint_attributes(EndpointArn=arn)["Attributes"]["Token"] == _APPLE_TOKEN
    for wrong in ("xyz", "a" * 401):
        assert refused(sns.create_platform_endpoint, **params, Token=wrong) == _invalid(
            "Token Reason: iOS device tokens must be no more than 400 hexadecimal characters"
        )


def test_arns_that_are_none(sns: Any, aws: Aws, application: str) -> None:
    endpoint = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="device")["EndpointArn"]
    elsewhere = aws.client("sns", region_name="eu-west-1")
    for call, name, right in (
        (sns.get_platform_application_attributes, "PlatformApplicationArn", application),
        (sns.get_endpoint_attributes, "EndpointArn", endpoint),
    ):
        assert refused(call, **{name: "x"}) == _invalid(f"{name} Reason: An ARN must have at least 6 elements, not 1")
        assert refused(call, **{name: f"arn:aws:sns:us-east-1:{aws.account}:orders"}) == _invalid(name)
        there = getattr(elsewhere, call.__name__)
        assert refused(there, **{name: right}) == _invalid(name)


def test_an_app_can_be_subscribed(sns: Any, application: str) -> None:
    endpoint = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="device")["EndpointArn"]
    topic = sns.create_topic(Name="orders")["TopicArn"]
    arn = sns.subscribe(TopicArn=topic, Protocol="application", Endpoint=endpoint)["SubscriptionArn"]
    assert arn.startswith(f"{topic}:")


def test_what_is_disabled_cannot_be_published_to(sns: Any, application: str) -> None:
    endpoint = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="device")["EndpointArn"]
    sns.publish(TargetArn=endpoint, Message="hello")
    sns.set_endpoint_attributes(EndpointArn=endpoint, Attributes={"Enabled": "false"})
    assert refused(sns.publish, TargetArn=endpoint, Message="hello") == ("EndpointDisabled", "Endpoint is disabled")
    sns.set_endpoint_attributes(EndpointArn=endpoint, Attributes={"Enabled": "true"})
    sns.set_platform_application_attributes(PlatformApplicationArn=application, Attributes={"Enabled": "false"})
    assert refused(sns.publish, TargetArn=endpoint, Message="hello")[0] == "PlatformApplicationDisabled"
