"""Permissions to change APIs and to call them, where they are enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.iam_users import (
    REGION,
    Caller,
    StrictAccount,
    StrictServer,
    allow,
    deny,
    is_denied,
    make_policy,
    running_strictly,
)
from tests.refused import refused
from tests.services.apigateway.cloud import Answer, GatewayCloud
from tests.services.apigateway.rest.cloud import RestCloud
from tests.standing import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[StrictServer]:
    with running_strictly() as server:
        yield server


@pytest.fixture
def owner(server: StrictServer) -> StrictAccount:
    """The root user of an account."""
    return server.add_account()


@pytest.fixture
def rest(owner: StrictAccount) -> RestCloud:
    """REST APIs of the account."""
    return RestCloud(owner)


def _path(rest: str) -> str:
    return f"arn:aws:apigateway:{REGION}::/{rest}"


def _invocation(owner: StrictAccount, api: str, rest: str) -> str:
    return f"arn:aws:execute-api:{REGION}:{owner.account}:{api}/{rest}"


def _sign(caller: Any, api: str, path: str, method: str = "GET") -> dict[str, str]:
    """Return the headers of a request that a user, or the root of an account, has signed."""
    keys = (
        (caller.access_key, caller.secret_key, caller.token) if isinstance(caller, Caller) else (caller.account, "test")
    )
    request = AWSRequest(method, f"{caller.endpoint}/_aws/execute-api/{api}{path}")
    SigV4Auth(Credentials(*keys), "execute-api", REGION).add_auth(request)
    return dict(request.headers)


def _call(cloud: GatewayCloud, api: str, path: str, by: Any, **headers: str) -> Answer:
    return cloud.ask(api, path, headers={**_sign(by, api, path), **headers})


# -- changing APIs


def test_actions_are_verbs_and_resources_are_paths(owner: StrictAccount, rest: RestCloud) -> None:
    api, other = rest.rest_api(), rest.rest_api()
    user = owner.add_user(
        allow("apigateway:GET", _path(f"restapis/{api}")), allow("apigateway:*", _path(f"restapis/{api}/*"))
    )
    client = user.client("apigateway")
    root = client.get_resources(restApiId=api)["items"][0]["id"]
    client.get_rest_api(restApiId=api)
    client.create_resource(restApiId=api, parentId=root, pathPart="shop")
    assert refused(client.delete_rest_api, restApiId=api) == (
        "AccessDeniedException",
        f"User: {user.arn} is not authorized to perform: apigateway:DELETE on resource: {_path(f'restapis/{api}')} "
        "because no identity-based policy allows the apigateway:DELETE action",
    )
    assert is_denied(client.get_resources, restApiId=other)
    assert is_denied(client.get_rest_apis)


def test_the_second_version_has_paths_without_its_number(owner: StrictAccount) -> None:
    api = GatewayCloud(owner).api()
    user = owner.add_user(allow("apigateway:GET", [_path("apis"), _path(f"apis/{api}/routes")])).client("apigatewayv2")
    user.get_apis()
    user.get_routes(ApiId=api)
    assert is_denied(user.get_stages, ApiId=api)
    assert is_denied(user.create_route, ApiId=api, RouteKey="GET /")


def test_the_policy_of_an_api_needs_a_permission_of_its_own(owner: StrictAccount, rest: RestCloud) -> None:
    api = rest.rest_api()
    client = owner.add_user(allow(["apigateway:POST", "apigateway:PATCH"])).client("apigateway")
    change = {"op": "replace", "path": "/name", "value": "x"}
    client.update_rest_api(restApiId=api, patchOperations=[change])
    assert is_denied(client.update_rest_api, restApiId=api, patchOperations=[{**change, "path": "/policy"}])
    assert is_denied(client.create_rest_api, name="a", policy=make_policy())


def test_children_have_the_tags_of_their_api(owner: StrictAccount, rest: RestCloud) -> None:
    tagged, other = rest.rest_api(tags={"team": "a"}), rest.rest_api(tags={"team": "b"})
    condition = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    client = owner.add_user(allow("apigateway:*", Condition=condition)).client("apigateway")
    client.get_rest_api(restApiId=tagged)
    client.get_resources(restApiId=tagged)
    client.get_tags(resourceArn=_path(f"restapis/{tagged}"))
    for api in (other, "absent"):
        assert is_denied(client.get_rest_api, restApiId=api)
        assert is_denied(client.get_resources, restApiId=api)
    assert is_denied(client.get_tags, resourceArn=_path(f"restapis/{other}"))


def test_a_role_is_handed_over_by_those_who_may(owner: StrictAccount, rest: RestCloud) -> None:
    api = rest.rest_api()
    names = rest.method(api, "/")
    role = owner.add_role({"Service": "apigateway.amazonaws.com"})
    given = {
        **names,
        "type": "AWS",
        "integrationHttpMethod": "POST",
        "uri": f"arn:aws:apigateway:{REGION}:sqs:action/ListQueues",
        "credentials": role,
    }
    user = owner.add_user(allow("apigateway:*"), name="giver")
    assert (
        "is not authorized to perform: iam:PassRole" in refused(user.client("apigateway").put_integration, **given)[1]
    )
    owner.allow("giver", allow("apigateway:*"), allow("iam:PassRole", role))
    user.client("apigateway").put_integration(**given)


# -- calling APIs


def _signed_api(rest: RestCloud, **more: Any) -> str:
    """Return a REST API whose methods want a signature."""
    api = rest.rest_api(**more)
    for path in ("/yes", "/no"):
        rest.mocked(api, path, template="$context.identity.userArn", authorizationType="AWS_IAM")
    rest.deploy(api)
    return api


def test_a_signer_needs_the_permission_to_invoke(owner: StrictAccount, rest: RestCloud) -> None:
    api = _signed_api(rest)
    user = owner.add_user(allow("execute-api:Invoke", _invocation(owner, api, "dev/GET/yes")))
    answer = _call(rest, api, "/dev/yes", user)
    assert (answer.status, answer.body.decode()) == (200, user.arn)
    answer = _call(rest, api, "/dev/no", user)
    masked = _invocation(owner, api, "dev/GET/no").replace(owner.account, f"********{owner.account[-4:]}")
    assert (answer.status, answer.json["message"]) == (
        403,
        f"User: {user.arn} is not authorized to perform: execute-api:Invoke on resource: {masked}",
    )
    assert _call(rest, api, "/dev/no", owner).status == 200
    unknown = Caller(user.endpoint, user.account, REGION, "", user.access_key, "wrong")
    assert _call(rest, api, "/dev/yes", unknown).status == 403


def test_boundaries_and_session_policies_limit_who_may_invoke(owner: StrictAccount, rest: RestCloud) -> None:
    api = _signed_api(rest)
    bound = owner.add_user(
        allow("*"), boundary=make_policy(allow("execute-api:Invoke", "arn:aws:execute-api:*:*:*/yes"))
    )
    assert [_call(rest, api, f"/dev/{name}", bound).status for name in ("yes", "no")] == [200, 403]
    role = owner.add_role({"AWS": bound.arn}, allow("execute-api:Invoke"))
    user = owner.add_user(allow("sts:AssumeRole"), name="assumer")
    owner.client("iam").update_assume_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyDocument=make_policy({"Effect": "Allow", "Principal": {"AWS": user.arn}, "Action": "sts:AssumeRole"}),
    )
    session = owner.assume(role, user, allow("execute-api:Invoke", _invocation(owner, api, "dev/GET/no")))
    assert [_call(rest, api, f"/dev/{name}", session).status for name in ("yes", "no")] == [403, 200]


def test_the_policy_of_an_api_and_those_of_the_signer_decide_together(
    server: StrictServer, owner: StrictAccount, rest: RestCloud
) -> None:
    other = server.add_account()
    invoke = {"Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    mere, denied = owner.add_user(), owner.add_user(allow("execute-api:Invoke"))
    named = owner.add_user(deny("execute-api:Invoke", "arn:aws:execute-api:*:*:*/no"))
    api = _signed_api(
        rest,
        policy=make_policy(
            {**invoke, "Effect": "Allow", "Principal": {"AWS": [named.arn, other.account]}},
            {**invoke, "Effect": "Deny", "Principal": {"AWS": denied.arn}},
        ),
    )
    able, unable = other.add_user(allow("execute-api:Invoke")), other.add_user()
    for caller, statuses in (
        (mere, [403, 403]),
        (denied, [403, 403]),
        (named, [200, 403]),
        (able, [200, 200]),
        (unable, [403, 403]),
        (owner, [200, 200]),
    ):
        assert [_call(rest, api, f"/dev/{name}", caller).status for name in ("yes", "no")] == statuses
    assert _call(rest, _signed_api(rest), "/dev/yes", able).status == 403


def test_a_route_of_an_http_api_wants_the_permission(server: StrictServer, owner: StrictAccount) -> None:
    cloud = GatewayCloud(owner)
    api = cloud.api()
    target = cloud.to_url(api, "http://127.0.0.1:9/")
    cloud.route(api, "GET /{name}", target, AuthorizationType="AWS_IAM")
    user = owner.add_user(allow("execute-api:Invoke", _invocation(owner, api, "$default/GET/yes")))
    assert _call(cloud, api, "/yes", user).status == 503
    assert _call(cloud, api, "/no", user).json == {"message": "Forbidden"}
    stranger = server.add_account().add_user(allow("execute-api:Invoke"))
    assert _call(cloud, api, "/yes", stranger).status == 403


def _find_connection(socket: ClientConnection) -> str:
    """Return the id of a connection, which is told to who asks for what is not there."""
    socket.send('{"action": "none"}')
    return str(json.loads(socket.recv(10))["connectionId"])


def test_a_client_of_a_websocket_api_wants_the_permission(owner: StrictAccount) -> None:
    cloud = GatewayCloud(owner)
    api = cloud.websocket_api_without_function()
    endpoint = {"IntegrationType": "MOCK"}
    cloud.route(api, "$connect", cloud.integration(api, **endpoint), AuthorizationType="AWS_IAM")
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    user = owner.add_user(allow("execute-api:Invoke", _invocation(owner, api, "live/$connect")), name="client")
    url = f"ws://{cloud.host}:{cloud.port}/_aws/execute-api/{api}/live"

    def sign() -> dict[str, str]:
        headers = _sign(user, api, "/live")
        return {name: value for name, value in headers.items() if name.lower() != "host"}

    manager = owner.add_user(
        allow("execute-api:ManageConnections", _invocation(owner, api, "live/POST/@connections/*"))
    ).client("apigatewaymanagementapi", endpoint_url=f"{owner.endpoint}/_aws/execute-api/{api}/live")
    with connect(url, additional_headers=sign()) as socket:
        id = _find_connection(socket)
        manager.post_to_connection(ConnectionId=id, Data=b"hello")
        assert socket.recv(10) in ("hello", b"hello")
        assert is_denied(manager.get_connection, ConnectionId=id)
        assert is_denied(manager.delete_connection, ConnectionId=id)
        assert is_denied(
            owner.add_user(allow("execute-api:ManageConnections", "arn:aws:execute-api:*:*:*/other/*"))
            .client("apigatewaymanagementapi", endpoint_url=f"{owner.endpoint}/_aws/execute-api/{api}/live")
            .post_to_connection,
            ConnectionId=id,
            Data=b"x",
        )
    owner.allow("client", allow("execute-api:Invoke", _invocation(owner, api, "live/say")))
    with pytest.raises(InvalidStatus) as caught:
        connect(url, additional_headers=sign())
    assert caught.value.response.status_code == 403


def _relay(rest: RestCloud, api: str, path: str, credentials: str) -> None:
    """Let SQS answer a method, as whoever the credentials say."""
    names = rest.method(api, path, authorizationType="AWS_IAM")
    rest.client.put_integration(
        **names,
        type="AWS",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{REGION}:sqs:action/ListQueues",
        credentials=credentials,
    )
    rest.response(names)
    rest.response(names, "403", selectionPattern="4..")


def test_an_integration_acts_by_its_role_or_as_the_caller(owner: StrictAccount, rest: RestCloud) -> None:
    api = rest.rest_api()
    gateway = {"Service": "apigateway.amazonaws.com"}
    _relay(rest, api, "/able", owner.add_role(gateway, allow("sqs:*")))
    _relay(rest, api, "/unable", owner.add_role(gateway, allow("sns:*")))
    _relay(rest, api, "/mistrusting", owner.add_role({"Service": "lambda.amazonaws.com"}, allow("sqs:*")))
    _relay(rest, api, "/absent", f"arn:aws:iam::{owner.account}:role/absent")
    _relay(rest, api, "/caller", "arn:aws:iam::*:user/*")
    rest.deploy(api)
    mere = owner.add_user(allow("execute-api:Invoke"))
    paths = ("able", "unable", "mistrusting", "absent", "caller")
    assert [_call(rest, api, f"/dev/{path}", mere).status for path in paths] == [200, 403, 500, 500, 403]
    able = owner.add_user(allow(["execute-api:Invoke", "sqs:ListQueues"]))
    assert _call(rest, api, "/dev/caller", able).status == 200


def test_only_who_may_takes_answers_out_of_the_cache(owner: StrictAccount, rest: RestCloud) -> None:
    api = rest.rest_api()
    rest.mocked(api, "/kept", authorizationType="AWS_IAM")
    rest.deploy(api, cacheClusterEnabled=True, cacheClusterSize="0.5")
    rest.patch(
        "update_stage",
        ("replace", "/*/*/caching/enabled", "true"),
        ("replace", "/*/*/caching/requireAuthorizationForCacheControl", "true"),
        ("replace", "/*/*/caching/unauthorizedCacheControlHeaderStrategy", "FAIL_WITH_403"),
        restApiId=api,
        stageName="dev",
    )
    reader, keeper = owner.add_user(allow("execute-api:Invoke")), owner.add_user(allow("execute-api:*"))
    fresh = {"Cache-Control": "max-age=0"}
    assert _call(rest, api, "/dev/kept", reader).status == 200
    assert [_call(rest, api, "/dev/kept", each, **fresh).status for each in (reader, keeper)] == [403, 200]


def test_logs_are_written_by_a_role_or_by_their_delivery(owner: StrictAccount, rest: RestCloud) -> None:
    logs, cloud = owner.client("logs"), GatewayCloud(owner)
    logs.create_log_group(logGroupName="access")
    group = f"arn:aws:logs:{REGION}:{owner.account}:log-group:access"
    api = cloud.api()
    settings = {"DestinationArn": group, "Format": "$context.requestId $context.path"}
    cloud.client.update_stage(ApiId=api, StageName="$default", AccessLogSettings=settings)

    def is_told(path: str) -> bool:
        """Ask for something that is not there; return whether the log tells of it."""
        cloud.ask(api, path)
        return any(path in each["message"] for each in logs.filter_log_events(logGroupName="access")["events"])

    assert not is_told("/before")
    delivery = {**allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{group}:*")}
    delivery["Principal"] = {"Service": "delivery.logs.amazonaws.com"}
    logs.put_resource_policy(policyName="delivery", policyDocument=make_policy(delivery))
    eventually(lambda: is_told("/delivered"))
    logs.delete_resource_policy(policyName="delivery")
    role = owner.add_role({"Service": "apigateway.amazonaws.com"}, allow("logs:*"))
    rest.patch("update_account", ("replace", "/cloudwatchRoleArn", role))
    eventually(lambda: is_told("/by-role"))
