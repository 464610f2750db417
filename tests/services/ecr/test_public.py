"""ECR Public: public repositories, what the gallery shows of them, and pulls by everybody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.cloudformation.deploying import Stacks
from tests.services.ecr.public import open_public, pull
from tests.services.ecr.registry import MANIFEST, Registry, digest_of, error_code, make_image, make_index
from tests.standing import eventually

IMAGE = make_image(b"layer")


@pytest.fixture
def public(aws: Aws) -> Any:
    return aws.client("ecr-public")


def test_repositories_are_created_described_and_deleted(aws: Aws, public: Any) -> None:
    made = public.create_repository(
        repositoryName="shop/web",
        catalogData={"description": "A shop", "architectures": ["x86-64"], "aboutText": "# Shop"},
        tags=[{"Key": "team", "Value": "red"}],
    )
    repository = made["repository"]
    arn = f"arn:aws:ecr-public::{aws.account}:repository/shop/web"
    assert (repository["repositoryArn"], repository["registryId"]) == (arn, aws.account)
    (registry,) = public.describe_registries()["registries"]
    alias = registry["aliases"][0]["name"]
    assert registry["registryUri"].endswith(f"public.ecr.aws/{alias}")
    assert repository["repositoryUri"] == f"{registry['registryUri']}/shop/web"
    assert set(repository) == {"repositoryArn", "registryId", "repositoryName", "repositoryUri", "createdAt"}
    assert made["catalogData"]["description"] == "A shop"
    assert public.describe_repositories()["repositories"] == [repository]
    assert public.describe_repositories(repositoryNames=["shop/web"], registryId=aws.account)["repositories"] == [
        repository
    ]
    assert public.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "team", "Value": "red"}]
    # A private registry has other repositories.
    assert aws.client("ecr").describe_repositories()["repositories"] == []
    assert code_of(public.create_repository, repositoryName="shop/web") == "RepositoryAlreadyExistsException"
    assert public.delete_repository(repositoryName="shop/web")["repository"] == repository
    assert code_of(public.describe_repositories, repositoryNames=["shop/web"]) == "RepositoryNotFoundException"


def test_catalog_data_are_put_and_read(public: Any) -> None:
    public.create_repository(repositoryName="web")
    assert public.get_repository_catalog_data(repositoryName="web")["catalogData"] == {}
    data = {"description": "A shop", "operatingSystems": ["Linux"], "usageText": "run it"}
    shown = {**data, "marketplaceCertified": False}
    assert public.put_repository_catalog_data(repositoryName="web", catalogData=data)["catalogData"] == shown
    assert public.get_repository_catalog_data(repositoryName="web")["catalogData"] == shown
    logo = {"logoImageBlob": b"png"}
    assert code_of(public.put_repository_catalog_data, repositoryName="web", catalogData=logo) == (
        "InvalidParameterException"
    )
    assert public.get_registry_catalog_data()["registryCatalogData"] == {}
    public.put_registry_catalog_data(displayName="The shop")
    assert public.get_registry_catalog_data()["registryCatalogData"] == {"displayName": "The shop"}


def test_policies_and_tags(aws: Aws, public: Any) -> None:
    arn = public.create_repository(repositoryName="web")["repository"]["repositoryArn"]
    assert code_of(public.get_repository_policy, repositoryName="web") == "RepositoryPolicyNotFoundException"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "ecr-public:PutImage"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    public.set_repository_policy(repositoryName="web", policyText=text)
    assert public.get_repository_policy(repositoryName="web")["policyText"] == text
    assert public.delete_repository_policy(repositoryName="web")["policyText"] == text
    public.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    public.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert public.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "b", "Value": "2"}]
    private = f"arn:aws:ecr:us-east-1:{aws.account}:repository/web"
    assert code_of(public.list_tags_for_resource, resourceArn=private) == "InvalidParameterException"
    assert code_of(public.list_tags_for_resource, resourceArn=f"{arn}x") == "RepositoryNotFoundException"


def test_everybody_pulls_and_only_who_has_a_token_pushes(aws: Aws, public: Any) -> None:
    web = open_public(aws, "shop/web")
    digest = web.push(IMAGE, "v1")
    pulled = pull(web, "manifests/v1")
    assert (pulled.status, pulled.data, pulled.headers["docker-content-digest"]) == (200, IMAGE.manifest, digest)
    layer = digest_of(b"layer")
    assert pull(web, f"blobs/{layer}").data == b"layer"
    assert pull(web, f"blobs/{layer}", "HEAD").headers["content-length"] == "5"
    assert pull(web, f"blobs/{digest_of(b'other')}", "HEAD").status == 404
    assert json.loads(pull(web, "tags/list").data)["tags"] == ["v1"]
    assert error_code(pull(web, "manifests/v2")) == (404, "MANIFEST_UNKNOWN")
    assert pull(web, "blobs/uploads/", "POST").status == 401
    assert pull(web, "manifests/v1", "DELETE").status == 401
    index = make_index(IMAGE)
    web.put(index.manifest, "all")
    (one, other) = sorted(
        public.describe_images(repositoryName="shop/web")["imageDetails"], key=lambda each: each["imageTags"]
    )
    assert (one["imageTags"], other["imageTags"], other["imageDigest"]) == (["all"], ["v1"], digest)
    private = aws.client("ecr").create_repository(repositoryName="shop/web")["repository"]["repositoryUri"]
    hidden = Registry(aws.endpoint, private.partition("/")[2], "")
    assert pull(hidden, "manifests/v1").status == 401
    # So do podman and skopeo ask who have no password.
    empty = {"Authorization": "Basic Og=="}
    assert pull(web, "manifests/v1", **empty).data == IMAGE.manifest
    assert pull(web, "blobs/uploads/", "POST", **empty).status == 401
    assert pull(hidden, "manifests/v1", **empty).status == 401


def test_an_alias_that_nobody_has(aws: Aws) -> None:
    nowhere = Registry(aws.endpoint, "public.ecr.aws/zzzzzzzz/web", "")
    assert error_code(pull(nowhere, "manifests/v1")) == (404, "NAME_UNKNOWN")
    public = aws.client("ecr-public")
    asked = {"repositoryName": "web", "layerDigests": [digest_of(b"x")]}
    assert code_of(public.batch_check_layer_availability, registryId="zzzzzzzz", **asked) == "RegistryNotFoundException"


def test_tags_of_images_are_described_with_their_times(aws: Aws, public: Any) -> None:
    web = open_public(aws, "web")
    web.push(IMAGE, "v1")
    for tag in ("v2", "v3"):
        web.put(IMAGE.manifest, tag)
    first = public.describe_image_tags(repositoryName="web", maxResults=2)
    (last,) = public.describe_image_tags(repositoryName="web", nextToken=first["nextToken"])["imageTagDetails"]
    tags = [*first["imageTagDetails"], last]
    assert [each["imageTag"] for each in tags] == ["v1", "v2", "v3"]
    assert {each["imageDetail"]["imageDigest"] for each in tags} == {IMAGE.digest}
    assert tags[0]["createdAt"] <= tags[2]["createdAt"]
    assert code_of(public.describe_image_tags, repositoryName="web", nextToken="x") == "InvalidParameterException"


def test_images_are_pushed_by_the_api(aws: Aws, public: Any) -> None:
    """By the registry's alias, as clients of it do."""
    public.create_repository(repositoryName="web")
    alias = public.describe_registries()["registries"][0]["aliases"][0]["name"]
    named = {"repositoryName": "web", "registryId": alias}
    for blob in IMAGE.blobs:
        upload = public.initiate_layer_upload(**named)["uploadId"]
        part = {"partFirstByte": 0, "partLastByte": len(blob) - 1, "layerPartBlob": blob}
        public.upload_layer_part(**named, uploadId=upload, **part)
        public.complete_layer_upload(**named, uploadId=upload, layerDigests=[digest_of(blob)])
    digests = [digest_of(blob) for blob in IMAGE.blobs]
    layers = public.batch_check_layer_availability(**named, layerDigests=digests)["layers"]
    assert {each["layerAvailability"] for each in layers} == {"AVAILABLE"}
    manifest = {"imageManifest": IMAGE.manifest.decode(), "imageManifestMediaType": MANIFEST}
    put = public.put_image(**named, **manifest, imageTag="v1")["image"]
    assert put["imageId"] == {"imageDigest": IMAGE.digest, "imageTag": "v1"}
    assert code_of(public.delete_repository, repositoryName="web") == "RepositoryNotEmptyException"
    deleted = public.batch_delete_image(repositoryName="web", imageIds=[{"imageTag": "v1"}])
    assert deleted["imageIds"] == [{"imageDigest": IMAGE.digest, "imageTag": "v1"}]
    public.delete_repository(repositoryName="web")


def test_there_is_one_registry_for_all_regions(aws: Aws) -> None:
    elsewhere = aws.client("ecr-public", region_name="eu-central-1")
    assert refused(elsewhere.describe_repositories) == (
        "UnsupportedCommandException",
        "command is only supported in us-east-1",
    )


def test_a_stack_has_a_public_repository(aws: Aws, public: Any) -> None:
    catalog = {"RepositoryDescription": "A shop", "Architectures": ["ARM 64"], "UsageText": "run it"}
    properties = {
        "RepositoryName": "shop/web",
        "RepositoryCatalogData": catalog,
        "Tags": [{"Key": "team", "Value": "red"}],
    }

    def describe() -> dict[str, Any]:
        resource = {"Type": "AWS::ECR::PublicRepository", "Properties": properties}
        return {"Resources": {"Web": resource}, "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Web", "Arn"]}}}}

    stacks = Stacks(aws)
    assert stacks.create("shop", describe())["StackStatus"] == "CREATE_COMPLETE", stacks.events("shop")
    arn = f"arn:aws:ecr-public::{aws.account}:repository/shop/web"
    assert stacks.outputs("shop") == {"Arn": arn}
    data = public.get_repository_catalog_data(repositoryName="shop/web")["catalogData"]
    assert (data["description"], data["architectures"], data["usageText"]) == ("A shop", ["ARM 64"], "run it")
    del properties["RepositoryCatalogData"]
    properties["Tags"] = [{"Key": "team", "Value": "blue"}]
    assert stacks.update("shop", describe())["StackStatus"] == "UPDATE_COMPLETE", stacks.events("shop")
    assert public.get_repository_catalog_data(repositoryName="shop/web")["catalogData"] == {}
    tags = public.list_tags_for_resource(resourceArn=arn)["tags"]
    assert [each for each in tags if not each["Key"].startswith("aws:")] == [{"Key": "team", "Value": "blue"}]
    assert stacks.delete("shop")["StackStatus"] == "DELETE_COMPLETE"
    assert public.describe_repositories()["repositories"] == []


def test_pushes_are_in_the_trail_of_the_api(aws: Aws) -> None:
    open_public(aws, "web").push(IMAGE, "v1")
    cloudtrail = aws.client("cloudtrail")

    def find() -> list[dict[str, Any]]:
        chosen = [{"AttributeKey": "EventName", "AttributeValue": "PutImage"}]
        found = cloudtrail.lookup_events(LookupAttributes=chosen)["Events"]
        return [json.loads(each["CloudTrailEvent"]) for each in found]

    (event,) = eventually(find)
    assert (event["eventSource"], event["awsRegion"]) == ("ecr-public.amazonaws.com", "us-east-1")
