"""Who may call a route of an HTTP API: by a token, by a function's word, by a signature."""

from __future__ import annotations

import json
import time

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import rsa

from cloudlet.services.apigateway.authorizing import AuthorizerResult, FunctionAuthorizer
from tests.modes import meaningless_in
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint
from tests.services.apigateway.issuer import Issuer


@pytest.fixture(scope="module")
def issuer(endpoint: Endpoint) -> Issuer:
    return Issuer(endpoint, "issuer")


@pytest.fixture(scope="module")
def guarded(shared: GatewayCloud, issuer: Issuer) -> str:
    """An API with routes that ask for a token, of which one asks for scopes too."""
    api = shared.api()
    configuration = {"Issuer": issuer.url, "Audience": ["shop", "other"]}
    authorizer = shared.client.create_authorizer(
        ApiId=api,
        Name="tokens",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration=configuration,
    )["AuthorizerId"]
    integration = shared.to_function(api)
    given = {"AuthorizationType": "JWT", "AuthorizerId": authorizer}
    shared.route(api, "GET /mine", integration, **given)
    shared.route(api, "GET /scoped", integration, AuthorizationScopes=["read", "write"], **given)
    return api


def test_a_token_lets_in(shared: GatewayCloud, guarded: str, issuer: Issuer) -> None:
    token = issuer.token(time.time(), groups=["a", "b"], admin=True)
    for given in (f"Bearer {token}", token, f"bearer {token}"):
        answer = shared.ask(guarded, "/mine", headers={"Authorization": given})
        assert answer.status == 200
        jwt = answer.json["requestContext"]["authorizer"]["jwt"]
        assert jwt["scopes"] is None
        assert (jwt["claims"]["sub"], jwt["claims"]["groups"], jwt["claims"]["admin"]) == ("me", "[a b]", "true")


def test_scopes_are_asked_for(shared: GatewayCloud, guarded: str, issuer: Issuer) -> None:
    now = time.time()
    for claims in ({"scope": "other read"}, {"scp": ["read"]}):
        answer = shared.ask(guarded, "/scoped", headers={"Authorization": issuer.token(now, **claims)})
        assert (answer.status, answer.json["requestContext"]["authorizer"]["jwt"]["scopes"]) == (200, ["read"])
    refused = shared.ask(guarded, "/scoped", headers={"Authorization": issuer.token(now, scope="other")})
    assert (refused.status, refused.json) == (403, {"message": "Forbidden"})
    assert 'error="insufficient_scope"' in (refused.header("www-authenticate") or "")


def test_without_a_token(shared: GatewayCloud, guarded: str) -> None:
    answer = shared.ask(guarded, "/mine")
    assert (answer.status, answer.json) == (401, {"message": "Unauthorized"})
    assert answer.header("www-authenticate") == "Bearer"


def test_tokens_that_do_not_let_in(shared: GatewayCloud, guarded: str, issuer: Issuer) -> None:
    now = time.time()
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good = issuer.token(now)
    head, body, signature = good.split(".")
    for name, token in {
        "expired": issuer.token(now, exp=now - 1),
        "no end": issuer.token(now, exp=None),
        "not yet": issuer.token(now, nbf=now + 1000),
        "from the future": issuer.token(now, iat=now + 1000),
        "for others": issuer.token(now, aud="bank"),
        "for nobody": issuer.token(now, aud=None),
        "by others": issuer.token(now, iss="https://example.com"),
        "signed by others": issuer.token(now, key=stranger),
        "unknown key": issuer.token(now, kid="two"),
        "symmetric": issuer.token(now, key="x" * 32, algorithm="HS256"),
        "no token": "nonsense",
        "dots": "a.b.c",
        "changed": f"{head}.{body[:-2]}AA.{signature}",
        "unsigned": f"eyJhbGciOiJub25lIn0.{body}.",
    }.items():
        answer = shared.ask(guarded, "/mine", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status, answer.json) == (401, {"message": "Unauthorized"}), name
        assert 'error="invalid_token"' in (answer.header("www-authenticate") or ""), name
    assert shared.ask(guarded, "/mine", headers={"Authorization": good}).status == 200


def test_a_client_id_stands_for_the_audience(shared: GatewayCloud, guarded: str, issuer: Issuer) -> None:
    token = issuer.token(time.time(), aud=None, client_id="other")
    assert shared.ask(guarded, "/mine", headers={"Authorization": token}).status == 200


@pytest.fixture(scope="module")
def asking(shared: GatewayCloud) -> str:
    """An API whose routes ask a function, in each of the formats."""
    api = shared.api()
    integration = shared.to_function(api)
    source = ["$request.header.Authorization"]
    simple = shared.authorizer(
        api, IdentitySource=source, AuthorizerPayloadFormatVersion="2.0", EnableSimpleResponses=True
    )
    policy = shared.authorizer(api, Name="policy", IdentitySource=source, AuthorizerPayloadFormatVersion="1.0")
    keeping = shared.authorizer(
        api,
        Name="keeping",
        IdentitySource=["$request.header.Authorization", "$request.querystring.shop"],
        AuthorizerPayloadFormatVersion="1.0",
        AuthorizerResultTtlInSeconds=300,
    )
    for path, authorizer in (("/simple", simple), ("/policy", policy), ("/kept/{x}", keeping)):
        shared.route(api, f"GET {path}", integration, AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    return api


@pytest.mark.parametrize("path", ["/simple", "/policy"])
def test_a_function_says_who_may(shared: GatewayCloud, asking: str, path: str) -> None:
    for token, status, message in (
        ("friend", 200, None),
        ("foe", 403, "Forbidden"),
        ("nobody", 401, "Unauthorized"),
        ("broken", 500, "Internal Server Error"),
        (None, 401, "Unauthorized"),
    ):
        answer = shared.ask(asking, path, headers={"Authorization": token} if token else {})
        assert answer.status == status, token
        if message is not None:
            assert answer.json == {"message": message}
        else:
            told = answer.json["requestContext"]["authorizer"]["lambda"]
            assert (told["who"], told["level"]) == ("friend", 3)


def test_what_the_function_is_asked(shared: GatewayCloud, asking: str) -> None:
    answer = shared.ask(asking, "/simple?a=1", headers={"Authorization": "friend"})
    event = json.loads(answer.json["requestContext"]["authorizer"]["lambda"]["event"])
    assert (event["version"], event["type"]) == ("2.0", "REQUEST")
    assert event["identitySource"] == ["friend"]
    assert event["routeKey"] == "GET /simple"
    assert event["routeArn"] == f"arn:aws:execute-api:us-east-1:{shared.account}:{asking}/$default/GET/simple"
    assert event["queryStringParameters"] == {"a": "1"}
    assert event["requestContext"]["http"]["method"] == "GET"


@meaningless_in("replicas", because="each process has a cache of its own")
def test_a_verdict_is_kept(shared: GatewayCloud, asking: str) -> None:
    """The policy is for the path of the first request: what is kept of it does not allow the second."""
    headers = {"Authorization": "friend"}
    assert shared.ask(asking, "/kept/1?shop=a", headers=headers).status == 200
    assert shared.ask(asking, "/kept/2?shop=a", headers=headers).status == 403
    assert shared.ask(asking, "/kept/1?shop=a", headers=headers).status == 200
    assert shared.ask(asking, "/kept/2?shop=b", headers=headers).status == 200
    shared.client.reset_authorizers_cache(ApiId=asking, StageName="$default")
    assert shared.ask(asking, "/kept/2?shop=a", headers=headers).status == 200


def test_only_who_signs_is_let_in(shared: GatewayCloud) -> None:
    api = shared.api()
    shared.route(api, "ANY /signed", shared.to_function(api), AuthorizationType="AWS_IAM")
    assert shared.ask(api, "/signed", method="POST").status == 403
    path = f"/_aws/execute-api/{api}/signed"

    def signed(account: str, service: str = "execute-api") -> AWSRequest:
        request = AWSRequest("POST", f"{shared.aws.endpoint}{path}", data=b"body")
        SigV4Auth(Credentials(account, "test"), service, "us-east-1").add_auth(request)
        return request

    request = signed(shared.account)
    answer = shared.ask(api, "/signed", method="POST", headers=dict(request.headers), body=b"body")
    assert answer.status == 200
    told = answer.json["requestContext"]["authorizer"]["iam"]
    assert (told["accountId"], told["userArn"]) == (shared.account, f"arn:aws:iam::{shared.account}:root")
    for other in (signed("123456789012"), signed(shared.account, "s3")):
        refused = shared.ask(api, "/signed", method="POST", headers=dict(other.headers), body=b"body")
        assert (refused.status, refused.json) == (403, {"message": "Forbidden"})
    of_s3 = f"AWSAccessKeyId={shared.account}&Signature=x&Expires=9999999999&X-Amz-Signature="
    assert shared.ask(api, f"/signed?{of_s3}").status == 403
    presigned = AWSRequest("GET", f"{shared.aws.endpoint}{path}")
    SigV4QueryAuth(Credentials(shared.account, "test"), "execute-api", "us-east-1").add_auth(presigned)
    assert shared.ask(api, f"/signed?{presigned.url.partition('?')[2]}").status == 200


def test_what_was_signed_for_another_service_is_not_let_in(shared: GatewayCloud) -> None:
    api = shared.api()
    shared.route(api, "ANY /signed", shared.to_function(api), AuthorizationType="AWS_IAM")
    request = AWSRequest("GET", f"{shared.aws.endpoint}/_aws/execute-api/{api}/signed")
    SigV4Auth(Credentials(shared.account, "test"), "sqs", "us-east-1").add_auth(request)
    answer = shared.ask(api, "/signed", headers=dict(request.headers))
    assert (answer.status, answer.json) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    "given",
    [
        {"AuthorizerType": "JWT", "IdentitySource": ["$request.header.A"]},
        {"AuthorizerType": "JWT", "IdentitySource": ["header.A"], "JwtConfiguration": {"Issuer": "https://a"}},
        {
            "AuthorizerType": "JWT",
            "IdentitySource": ["$request.header.A"],
            "JwtConfiguration": {"Issuer": "nowhere", "Audience": ["a"]},
        },
        {"AuthorizerType": "REQUEST", "IdentitySource": ["$request.header.A"]},
        {
            "AuthorizerType": "REQUEST",
            "IdentitySource": ["$request.header.A"],
            "AuthorizerUri": "arn:aws:lambda:us-east-1:123456789012:function:f",
        },
        {
            "AuthorizerType": "REQUEST",
            "IdentitySource": ["$request.header.A"],
            "AuthorizerUri": "arn:aws:lambda:us-east-1:123456789012:function:f",
            "AuthorizerPayloadFormatVersion": "1.0",
            "EnableSimpleResponses": True,
        },
        {
            "AuthorizerType": "REQUEST",
            "IdentitySource": [],
            "AuthorizerUri": "arn:aws:lambda:us-east-1:123456789012:function:f",
            "AuthorizerPayloadFormatVersion": "1.0",
            "AuthorizerResultTtlInSeconds": 300,
        },
    ],
)
def test_what_authorizers_may_not_be(cloud: GatewayCloud, given: dict[str, object]) -> None:
    api = cloud.api()
    assert cloud.refused("create_authorizer", ApiId=api, Name="a", **given)[0] == "BadRequestException"
    assert cloud.client.get_authorizers(ApiId=api)["Items"] == []


def test_an_authorizer_in_use_stays(shared: GatewayCloud, guarded: str) -> None:
    (authorizer,) = shared.client.get_authorizers(ApiId=guarded)["Items"]
    refused = shared.refused("delete_authorizer", ApiId=guarded, AuthorizerId=authorizer["AuthorizerId"])
    assert refused[0] == "ConflictException"
    changed = shared.client.update_authorizer(ApiId=guarded, AuthorizerId=authorizer["AuthorizerId"], Name="renamed")
    assert changed["Name"] == "renamed"


@pytest.mark.parametrize(
    ("identity", "size", "is_kept"), [("x", 100, True), ("x" * 20_000, 100, False), ("x", 20_000, False)]
)
def test_what_is_remembered_of_a_caller_is_small(identity: str, size: int, is_kept: bool) -> None:
    part = {"AuthorizerId": "a", "AuthorizerUri": "", "IdentitySource": [], "AuthorizerResultTtlInSeconds": 60}
    authorizer = FunctionAuthorizer(part, {})
    verdict = AuthorizerResult(True, None, {}, "", size=size)
    authorizer.keep([identity], verdict, 0.0)
    assert authorizer.known([identity], 1.0) == (verdict if is_kept else None)
