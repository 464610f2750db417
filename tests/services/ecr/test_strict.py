"""Permissions, where they are enforced: of users, by policies of their own, of repositories and of registries."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server
from tests.refused import code_of, refused
from tests.services.ecr.public import open_public, pull
from tests.services.ecr.registry import (
    Registry,
    digest_of,
    error_code,
    get_password,
    make_image,
    open_registry,
)
from tests.standing import eventually

NAME = "shop/web"
OWNER, OTHER = "111111111111", "222222222222"
PULLING = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
PUSHING = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
]
TOKEN = "ecr:GetAuthorizationToken"


class Person(Aws):
    """One who signs with a key of his own."""

    def __init__(self, endpoint: str, account: str, key: str, secret: str) -> None:
        super().__init__(endpoint, account)
        object.__setattr__(self, "keys", {"aws_access_key_id": key, "aws_secret_access_key": secret})

    def client(self, service: str, **options: Any) -> Any:
        return super().client(service, **{**self.keys, **options})  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    keys = [part for account in (OWNER, OTHER) for part in ("--root-key", f"{account}:{account}:test")]
    with Server.start("--ephemeral", "--auth", "strict", *keys) as running:
        yield running


@pytest.fixture
def owner(server: Server) -> Iterator[Aws]:
    """The root user of an account, without repositories at the end."""
    yield (aws := Aws(server.endpoint, OWNER))
    ecr = aws.client("ecr")
    for each in ecr.describe_repositories()["repositories"]:
        ecr.delete_repository(repositoryName=each["repositoryName"], force=True)


@pytest.fixture
def other(server: Server) -> Aws:
    """The root user of another account."""
    return Aws(server.endpoint, OTHER)


def statement(actions: list[str], resource: str | None = "*", **more: Any) -> dict[str, Any]:
    made = {"Effect": "Allow", "Action": actions, **more}
    return made if resource is None else {**made, "Resource": resource}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


_people = iter(range(1000))


def hire(root: Aws, *statements: dict[str, Any]) -> Person:
    """Return a user with a policy."""
    iam, name = root.client("iam"), f"person-{next(_people)}"
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Person(root.endpoint, root.account, key["AccessKeyId"], key["SecretAccessKey"])


def arn(name: str = NAME) -> str:
    return f"arn:aws:ecr:us-east-1:{OWNER}:repository/{name}"


def open_as(person: Aws, name: str = NAME) -> Registry:
    return Registry(person.endpoint, f"{OWNER}.dkr.ecr.us-east-1.amazonaws.com/{name}", get_password(person))


def test_a_user_does_what_its_policy_lets_it(owner: Aws) -> None:
    image = make_image(b"layer")
    open_registry(owner, NAME).push(image, "v1")
    open_registry(owner, "other").push(image, "v1")
    reader = hire(owner, statement([TOKEN]), statement(PULLING, arn()))
    shop = open_as(reader)
    assert shop.pull("v1") == image.manifest
    assert shop.ask("GET", f"blobs/{digest_of(b'layer')}").data == b"layer"
    denied = shop.ask("POST", "blobs/uploads/")
    assert error_code(denied) == (403, "DENIED")
    assert b"is not authorized to perform: ecr:InitiateLayerUpload" in denied.data
    assert error_code(open_as(reader, "other").ask("GET", "manifests/v1")) == (403, "DENIED")
    assert error_code(shop.ask("GET", "tags/list")) == (403, "DENIED")
    assert error_code(shop.ask("DELETE", "manifests/v1")) == (403, "DENIED")
    writer = hire(owner, statement([TOKEN, *PUSHING]))
    open_as(writer).push(make_image(b"more"), "v2")
    assert error_code(open_as(writer).ask("GET", "manifests/v2")) == (403, "DENIED")


def test_a_user_without_permission_gets_no_token(owner: Aws) -> None:
    nobody = hire(owner)
    code, message = refused(nobody.client("ecr").get_authorization_token)
    assert code == "AccessDeniedException"
    assert "is not authorized to perform: ecr:GetAuthorizationToken" in message


def test_a_token_can_no_more_than_its_user_now(owner: Aws) -> None:
    open_registry(owner, NAME).push(make_image(b"layer"), "v1")
    reader = hire(owner, statement([TOKEN, *PULLING]))
    shop = open_as(reader)
    shop.pull("v1")
    iam = owner.client("iam")
    name = reader.client("sts").get_caller_identity()["Arn"].rpartition("/")[2]
    iam.delete_user_policy(UserName=name, PolicyName="own")
    eventually(lambda: shop.ask("GET", "manifests/v1").status, lambda status: status == 403)


def test_a_repository_lets_in_users_of_other_accounts(owner: Aws, other: Aws) -> None:
    image = make_image(b"layer")
    open_registry(owner, NAME).push(image, "v1")
    stranger = hire(other, statement([TOKEN, *PULLING, *PUSHING]))
    shop = open_as(stranger)
    assert error_code(shop.ask("GET", "manifests/v1")) == (403, "DENIED")
    account = {"AWS": f"arn:aws:iam::{OTHER}:root"}
    owner.client("ecr").set_repository_policy(
        repositoryName=NAME, policyText=policy(statement(PULLING, None, Principal=account))
    )
    assert shop.pull("v1") == image.manifest
    assert error_code(shop.ask("POST", "blobs/uploads/")) == (403, "DENIED")
    found = stranger.client("ecr").batch_get_image(registryId=OWNER, repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    assert found["images"][0]["registryId"] == OWNER
    code = code_of(stranger.client("ecr").list_images, registryId=OWNER, repositoryName=NAME)
    assert code == "AccessDeniedException"


def test_a_denial_of_a_repository_counts_for_the_root_too(owner: Aws) -> None:
    shop = open_registry(owner, NAME)
    shop.push(make_image(b"layer"), "v1")
    deny = statement(["ecr:BatchGetImage"], None, Principal="*", Effect="Deny")
    owner.client("ecr").set_repository_policy(repositoryName=NAME, policyText=policy(deny))
    assert error_code(shop.ask("GET", "manifests/v1")) == (403, "DENIED")


def test_a_registrys_policy_is_about_all_its_repositories(owner: Aws, other: Aws) -> None:
    image = make_image(b"layer")
    open_registry(owner, NAME).push(image, "v1")
    shop = open_as(hire(other, statement([TOKEN, *PULLING])))
    ecr = owner.client("ecr")
    account = {"AWS": f"arn:aws:iam::{OTHER}:root"}
    ecr.put_registry_policy(
        policyText=policy(statement(PULLING, f"arn:aws:ecr:us-east-1:{OWNER}:repository/shop/*", Principal=account))
    )
    assert shop.pull("v1") == image.manifest
    ecr.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V1")
    assert error_code(shop.ask("GET", "manifests/v1")) == (403, "DENIED")
    ecr.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V2")
    ecr.delete_registry_policy()


def test_tags_of_a_repository_decide(owner: Aws) -> None:
    tags = [{"Key": "team", "Value": "shop"}]
    open_registry(owner, NAME, tags=tags).push(make_image(b"layer"), "v1")
    condition = {"StringEquals": {"aws:ResourceTag/team": "shop"}}
    reader = hire(owner, statement([TOKEN]), statement(PULLING, Condition=condition))
    open_as(reader).pull("v1")
    owner.client("ecr").untag_resource(resourceArn=arn(), tagKeys=["team"])
    assert error_code(open_as(reader).ask("GET", "manifests/v1")) == (403, "DENIED")


def test_listing_needs_a_permission_on_all_repositories(owner: Aws) -> None:
    open_registry(owner, NAME)
    one = hire(owner, statement(["ecr:DescribeRepositories"], arn())).client("ecr")
    assert len(one.describe_repositories(repositoryNames=[NAME])["repositories"]) == 1
    assert code_of(one.describe_repositories) == "AccessDeniedException"
    every = hire(owner, statement(["ecr:DescribeRepositories"], arn("*"))).client("ecr")
    assert len(every.describe_repositories()["repositories"]) == 1


def test_images_are_replicated_where_the_other_registry_lets_them_in(owner: Aws, other: Aws) -> None:
    ecr, far = owner.client("ecr"), other.client("ecr")
    destination = {"region": "us-east-1", "registryId": OTHER}
    ecr.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": [destination]}]})
    shop = open_registry(owner, NAME)

    def get_status(tag: str) -> list[tuple[str, str | None]]:
        found = ecr.describe_image_replication_status(repositoryName=NAME, imageId={"imageTag": tag})
        return [(each["status"], each.get("failureCode")) for each in found["replicationStatuses"]]

    shop.push(make_image(b"one"), "v1")
    eventually(lambda: get_status("v1"), lambda seen: seen == [("FAILED", "AccessDenied")])
    account = {"AWS": f"arn:aws:iam::{OWNER}:root"}
    allowed = ["ecr:CreateRepository", "ecr:ReplicateImage"]
    target = f"arn:aws:ecr:us-east-1:{OTHER}:repository/*"
    far.put_registry_policy(policyText=policy(statement(allowed, target, Principal=account)))
    shop.push(make_image(b"two"), "v2")
    eventually(lambda: get_status("v2"), lambda seen: seen == [("COMPLETE", None)])
    ecr.put_replication_configuration(replicationConfiguration={"rules": []})
    far.delete_repository(repositoryName=NAME, force=True)


def test_a_cache_pulls_by_its_role(owner: Aws, other: Aws) -> None:
    image = make_image(b"layer")
    open_registry(owner, NAME).push(image, "v1")
    trust = statement(["sts:AssumeRole"], None, Principal={"Service": "pullthroughcache.ecr.amazonaws.com"})
    role = other.client("iam").create_role(RoleName="puller", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    ecr = other.client("ecr")
    ecr.create_pull_through_cache_rule(
        ecrRepositoryPrefix="cached",
        upstreamRegistryUrl=f"{OWNER}.dkr.ecr.us-east-1.amazonaws.com",
        customRoleArn=role,
    )
    # The role of another account needs a policy of its own, and the repository's.
    own = policy(statement(PULLING))
    other.client("iam").put_role_policy(RoleName="puller", PolicyName="own", PolicyDocument=own)
    cached = open_registry(other, f"cached/{NAME}", creates=False)
    assert error_code(cached.ask("GET", "manifests/v1")) == (404, "MANIFEST_UNKNOWN")
    let_in = statement(PULLING, None, Principal={"AWS": role})
    owner.client("ecr").set_repository_policy(repositoryName=NAME, policyText=policy(let_in))
    assert cached.pull("v1") == image.manifest
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="cached")
    ecr.delete_repository(repositoryName=f"cached/{NAME}", force=True)


def test_pulls_of_some_principals_do_not_count(owner: Aws) -> None:
    ecr = owner.client("ecr")
    open_registry(owner, NAME).push(make_image(b"layer"), "v1")
    reader = hire(owner, statement([TOKEN, *PULLING]))
    ecr.register_pull_time_update_exclusion(principalArn=reader.client("sts").get_caller_identity()["Arn"])
    open_as(reader).pull("v1")
    assert "lastRecordedPullTime" not in ecr.describe_images(repositoryName=NAME)["imageDetails"][0]


def test_a_function_pulls_its_image_only_with_permission(owner: Aws) -> None:
    """Lambda gives itself the permission where the function's creator may do so."""
    iam = owner.client("iam")
    trust = statement(["sts:AssumeRole"], None, Principal={"Service": "lambda.amazonaws.com"})
    role = iam.create_role(RoleName="runner", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    image = make_image()
    open_registry(owner, NAME).push(image, "v1")
    uri = owner.client("ecr").describe_repositories()["repositories"][0]["repositoryUri"]
    given = {"Role": role, "PackageType": "Image", "Code": {"ImageUri": f"{uri}:v1"}}
    functions = statement(["lambda:*", "iam:PassRole"])
    creator = hire(owner, functions).client("lambda")
    code, message = refused(creator.create_function, FunctionName="f", **given)
    assert (code, "Lambda does not have permission" in message) == ("AccessDeniedException", True)
    policies = statement(["ecr:GetRepositoryPolicy", "ecr:SetRepositoryPolicy"])
    # The image has no layer, so that it gets as far as being unpacked.
    code = hire(owner, functions, policies).client("lambda").create_function(FunctionName="f", **given)["State"]
    text = owner.client("ecr").get_repository_policy(repositoryName=NAME)["policyText"]
    assert "LambdaECRImageRetrievalPolicy" in text
    assert code == "Pending"
    owner.client("lambda").delete_function(FunctionName="f")
    iam.delete_role(RoleName="runner")


def test_a_public_repository_is_pulled_by_everybody_and_pushed_to_by_permission(owner: Aws) -> None:
    image = make_image(b"layer")
    web = open_public(owner, NAME)
    web.push(image, "v1")
    nobody = Registry(web.endpoint, web.name, "")
    assert pull(nobody, "manifests/v1").data == image.manifest
    token = ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"]
    pushing = [f"ecr-public:{action.removeprefix('ecr:')}" for action in PUSHING]

    def reach(person: Person) -> Registry:
        data = person.client("ecr-public").get_authorization_token()["authorizationData"]
        password = b64decode(data["authorizationToken"]).decode().partition(":")[2]
        return Registry(owner.endpoint, web.name, password)

    half = hire(owner, statement(token[:1]))
    assert code_of(half.client("ecr-public").get_authorization_token) == "AccessDeniedException"
    private = reach(hire(owner, statement([*token, *PUSHING])))
    assert private.pull("v1") == image.manifest
    denied = private.ask("POST", "blobs/uploads/")
    assert b"is not authorized to perform: ecr-public:InitiateLayerUpload" in denied.data
    arn = f"arn:aws:ecr-public::{OWNER}:repository/{NAME}"
    reach(hire(owner, statement(token), statement(pushing, arn))).push(make_image(b"more"), "v2")
    owner.client("ecr-public").delete_repository(repositoryName=NAME, force=True)
