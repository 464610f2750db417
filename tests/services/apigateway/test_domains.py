"""Custom domain names, and what is mapped to them."""

from __future__ import annotations

import secrets
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.testing.server import Aws, fresh_account
from tests.certificates import bring
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint
from tests.services.apigateway.issuer import Issuer

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"


@pytest.fixture
def zone() -> str:
    """A zone of its own: a domain belongs to one account of the cloud."""
    return f"z{secrets.token_hex(6)}.example"


def _domain(cloud: GatewayCloud, name: str) -> None:
    certificate = bring(cloud.aws, name)
    cloud.client.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": certificate}])


def test_requests_go_where_they_are_mapped(cloud: GatewayCloud, endpoint: Endpoint, zone: str) -> None:
    name = f"api.{zone}"
    _domain(cloud, name)
    api = cloud.api()
    cloud.route(api, "GET /{proxy+}", cloud.to_url(api, f"{endpoint.url}/root/{{proxy}}"))
    other = cloud.api()
    cloud.route(other, "GET /{proxy+}", cloud.to_url(other, f"{endpoint.url}/other/{{proxy}}"))
    assert cloud.ask("", "/x", host=name).status == 404
    for id, key in ((api, ""), (other, "v1/orders"), (api, "v1")):
        cloud.client.create_api_mapping(DomainName=name, ApiId=id, Stage="$default", ApiMappingKey=key)
    for path, seen in (
        ("/a/b", "/root/a/b"),
        ("/v1/orders/7", "/other/7"),
        ("/v1/other", "/root/other"),
        ("/v1/ordersx", "/root/ordersx"),
    ):
        assert cloud.ask("", path, host=f"{name}:4566").json["path"] == seen
        # For clients that cannot resolve the name.
        assert cloud.ask(name, path).json["path"] == seen
    assert cloud.ask(f"other.{zone}", "/a/b").status == 404


def test_who_shows_a_token_or_signs_is_let_in(cloud: GatewayCloud, endpoint: Endpoint, zone: str) -> None:
    issuer, name = Issuer(endpoint, "of-domains"), f"api.{zone}"
    _domain(cloud, name)
    api = cloud.api()
    authorizer = cloud.client.create_authorizer(
        ApiId=api,
        Name="tokens",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer.url, "Audience": ["shop"]},
    )["AuthorizerId"]
    integration = cloud.to_url(api, f"{endpoint.url}/there")
    cloud.route(api, "GET /mine", integration, AuthorizationType="JWT", AuthorizerId=authorizer)
    cloud.route(api, "GET /signed", integration, AuthorizationType="AWS_IAM")
    cloud.client.create_api_mapping(DomainName=name, ApiId=api, Stage="$default", ApiMappingKey="v1")
    for token, status in ((issuer.token(time.time()), 200), (issuer.token(time.time() - 9999), 401)):
        assert cloud.ask("", "/v1/mine", host=name, headers={"Authorization": f"Bearer {token}"}).status == status
    request = AWSRequest("GET", f"http://{name}/v1/signed")
    SigV4Auth(Credentials(cloud.account, "test"), "execute-api", "us-east-1").add_auth(request)
    assert cloud.ask("", "/v1/signed", host=name, headers=dict(request.headers)).status == 200
    assert cloud.ask("", "/v1/signed", host=name).status == 403


def test_functions_do_not_see_the_mapping(shared: GatewayCloud, zone: str) -> None:
    """They see the stage, though it is not in the path that was asked for."""
    name = f"api.{zone}"
    _domain(shared, name)
    api = shared.api()
    shared.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    shared.route(api, "GET /new/{x}", shared.to_function(api, "2.0"))
    shared.route(api, "GET /old/{x}", shared.to_function(api, "1.0"))
    shared.client.create_api_mapping(DomainName=name, ApiId=api, Stage="live", ApiMappingKey="v1")
    event = shared.ask("", "/v1/new/7", host=name).json
    assert (event["rawPath"], event["routeKey"]) == ("/live/new/7", "GET /new/{x}")
    assert (event["requestContext"]["domainName"], event["requestContext"]["domainPrefix"]) == (name, "api")
    assert shared.ask("", "/v1/old/7", host=name).json["path"] == "/v1/old/7"


def test_mappings_are_kept(cloud: GatewayCloud, zone: str) -> None:
    name = f"api.{zone}"
    _domain(cloud, name)
    api = cloud.api()
    given = {"DomainName": name, "ApiId": api, "Stage": "$default"}
    made = cloud.client.create_api_mapping(**given, ApiMappingKey="a")
    assert cloud.refused("create_api_mapping", **given, ApiMappingKey="a")[0] == "ConflictException"
    assert cloud.refused("create_api_mapping", **given, ApiMappingKey="/a")[0] == "BadRequestException"
    wrong = {**given, "Stage": "nowhere"}
    assert cloud.refused("create_api_mapping", **wrong, ApiMappingKey="b")[0] == "NotFoundException"
    id = made["ApiMappingId"]
    cloud.client.update_api_mapping(DomainName=name, ApiMappingId=id, ApiId=api, ApiMappingKey="b")
    assert cloud.client.get_api_mapping(DomainName=name, ApiMappingId=id)["ApiMappingKey"] == "b"
    cloud.client.delete_api_mapping(DomainName=name, ApiMappingId=id)
    assert cloud.client.get_api_mappings(DomainName=name)["Items"] == []


def test_a_wildcard_answers_for_its_zone(cloud: GatewayCloud, endpoint: Endpoint, zone: str) -> None:
    _domain(cloud, f"*.{zone}")
    api = cloud.api(Target=endpoint.url)
    cloud.client.create_api_mapping(DomainName=f"*.{zone}", ApiId=api, Stage="$default")
    assert cloud.ask("", "/", host=f"one.{zone}").status == 200
    assert cloud.ask("", "/", host=f"two.{zone}").status == 200


def test_domains_are_kept(cloud: GatewayCloud, zone: str) -> None:
    name = f"api.{zone}"
    certificate, other = (bring(cloud.aws, name) for _ in range(2))
    created = cloud.client.create_domain_name(
        DomainName=name.upper(), DomainNameConfigurations=[{"CertificateArn": certificate}], Tags={"a": "1"}
    )
    (configuration,) = created["DomainNameConfigurations"]
    assert configuration["DomainNameStatus"] == "AVAILABLE"
    assert configuration["ApiGatewayDomainName"].endswith(".execute-api.us-east-1.amazonaws.com")
    assert (created["DomainName"], created["Tags"]) == (name, {"a": "1"})
    stranger = GatewayCloud(Aws(cloud.aws.endpoint, fresh_account()))
    own = [{"CertificateArn": bring(stranger.aws, name)}]
    refused = stranger.refused("create_domain_name", DomainName=name, DomainNameConfigurations=own)
    assert refused == ("BadRequestException", "The domain name you provided already exists.", 400)
    changed = cloud.client.update_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": other}])
    assert changed["DomainNameConfigurations"][0]["CertificateArn"] == other
    assert [each["DomainName"] for each in cloud.client.get_domain_names()["Items"]] == [name]
    cloud.client.delete_domain_name(DomainName=name)
    assert cloud.refused("get_domain_name", DomainName=name) == (
        "NotFoundException",
        "Invalid domain name identifier specified",
        404,
    )


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "BadRequestException"),
        ({"DomainNameConfigurations": [{}]}, "BadRequestException"),
        ({"DomainNameConfigurations": [{"EndpointType": "EDGE", "CertificateArn": "a"}]}, "BadRequestException"),
        (
            {
                "DomainNameConfigurations": [{"CertificateArn": CERTIFICATE}],
                "MutualTlsAuthentication": {"TruststoreUri": "s3://a/b"},
            },
            "NotImplemented",
        ),
    ],
)
def test_what_domains_may_not_be(cloud: GatewayCloud, zone: str, given: dict[str, object], code: str) -> None:
    assert cloud.refused("create_domain_name", DomainName=f"api.{zone}", **given)[0] == code
