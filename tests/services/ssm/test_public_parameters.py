"""The public parameters on regions and services."""

from __future__ import annotations

from tests.refused import code_of
from tests.services.ssm.cloud import SsmCloud

ROOT = "/aws/service/global-infrastructure"


def test_regions_are_those_of_aws(cloud: SsmCloud) -> None:
    regions = cloud.below(f"{ROOT}/regions")
    assert f"{ROOT}/regions/eu-west-1" in regions
    assert len(regions) > 30
    assert regions == sorted(regions)
    found = cloud.ssm.get_parameter(Name=f"{ROOT}/regions/us-east-1/longName")["Parameter"]
    assert found == {
        "Name": f"{ROOT}/regions/us-east-1/longName",
        "Type": "String",
        "Value": "US East (N. Virginia)",
        "Version": 1,
        "ARN": f"arn:aws:ssm:us-east-1::parameter{ROOT}/regions/us-east-1/longName",
        "DataType": "text",
    }
    names = [f"{ROOT}/regions/cn-north-1/{last}" for last in ("domain", "partition")]
    found = cloud.ssm.get_parameters(Names=[*names, f"{ROOT}/regions/nowhere"])
    assert [each["Value"] for each in found["Parameters"]] == ["amazonaws.com.cn", "aws-cn"]
    assert found["InvalidParameters"] == [f"{ROOT}/regions/nowhere"]


def test_services_are_those_that_are_built(cloud: SsmCloud) -> None:
    services = [name.rpartition("/")[2] for name in cloud.below(f"{ROOT}/services")]
    assert {"ssm", "sqs", "lambda"} <= set(services)
    assert "ec2-nonsense" not in services
    assert cloud.value(f"{ROOT}/regions/us-west-1/services/ssm/endpoint") == "ssm.us-west-1.amazonaws.com"
    assert cloud.value(f"{ROOT}/services/ssm/regions/us-west-1") == "us-west-1"
    regions = cloud.below(f"{ROOT}/services/ssm/regions", PaginationConfig={"PageSize": 7})
    assert f"{ROOT}/services/ssm/regions/eu-central-1" in regions
    below = cloud.below(f"{ROOT}/services/ssm/regions", Recursive=True)
    assert set(below) == set(regions) | {f"{region}/endpoint" for region in regions}


def test_there_are_no_others(cloud: SsmCloud) -> None:
    assert cloud.below("/aws/service/ecs", Recursive=True) == []
    assert cloud.below(f"{ROOT}/availability-zones") == []
    ami = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    assert code_of(cloud.ssm.get_parameter, Name=ami) == "ParameterNotFound"
    by_path = cloud.ssm.get_parameters_by_path
    filters = [{"Key": "Type", "Values": ["String"]}]
    assert code_of(by_path, Path=f"{ROOT}/regions", ParameterFilters=filters) == "ValidationException"
    assert code_of(by_path, Path=f"{ROOT}/regions", NextToken="!") == "InvalidNextToken"
    assert code_of(cloud.ssm.get_parameter, Name=f"{ROOT}/regions/us-east-1:2") == "ParameterVersionNotFound"
