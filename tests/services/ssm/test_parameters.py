"""Parameters: put, read and deleted by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.services.ssm.cloud import SsmCloud

WRONG_NAME = (
    'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of '
    "sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 "
    "symbols .-_"
)


@pytest.fixture
def ssm(cloud: SsmCloud) -> Any:
    return cloud.ssm


def test_a_parameter_is_read_as_it_was_put(ssm: Any, cloud: SsmCloud) -> None:
    made = ssm.put_parameter(Name="/shop/url", Value="http://x", Type="String", Description="d")
    assert (made["Version"], made["Tier"]) == (1, "Standard")
    found = ssm.get_parameter(Name="/shop/url")["Parameter"]
    assert found.pop("LastModifiedDate").year >= 2026
    assert found == {
        "Name": "/shop/url",
        "Type": "String",
        "Value": "http://x",
        "Version": 1,
        "ARN": f"arn:aws:ssm:us-east-1:{cloud.account}:parameter/shop/url",
        "DataType": "text",
    }
    assert cloud.value(found["ARN"]) == "http://x"


def test_a_name_of_one_level_is_the_same_with_and_without_its_slash(ssm: Any, cloud: SsmCloud) -> None:
    cloud.put("plain")
    found = ssm.get_parameter(Name="plain")["Parameter"]
    assert (found["Name"], found["ARN"]) == ("plain", f"arn:aws:ssm:us-east-1:{cloud.account}:parameter/plain")
    assert code_of(ssm.put_parameter, Name="/plain", Value="v", Type="String") == "ParameterAlreadyExists"
    assert [each["Name"] for each in ssm.get_parameters_by_path(Path="/")["Parameters"]] == ["plain"]


def test_spaces_around_a_name_are_removed(cloud: SsmCloud, ssm: Any) -> None:
    cloud.put(" /a ")
    assert cloud.value("/a") == cloud.value("  /a") == "v"
    assert refused(ssm.get_parameter, Name="/a b") == ("ValidationException", WRONG_NAME)


def test_a_parameter_is_overwritten_only_when_that_is_asked_for(cloud: SsmCloud, ssm: Any) -> None:
    cloud.put("/a")
    assert refused(ssm.put_parameter, Name="/a", Value="w") == (
        "ParameterAlreadyExists",
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
    )
    assert ssm.put_parameter(Name="/a", Value="w", Overwrite=True)["Version"] == 2
    assert cloud.value("/a") == "w"
    assert cloud.value("/a:1") == "v"


def test_what_an_update_does_not_say_is_kept(cloud: SsmCloud, ssm: Any) -> None:
    cloud.put("/a", "1", Description="d", AllowedPattern=r"\d+", DataType="integer")
    ssm.put_parameter(Name="/a", Value="2", Overwrite=True)
    (shown,) = ssm.describe_parameters()["Parameters"]
    assert (shown["Description"], shown["AllowedPattern"], shown["DataType"]) == ("d", r"\d+", "integer")
    ssm.put_parameter(Name="/a", Value="x", Overwrite=True, Description="", AllowedPattern="", DataType="text")
    (shown,) = ssm.describe_parameters()["Parameters"]
    assert "Description" not in shown
    assert "AllowedPattern" not in shown


def test_the_type_is_needed_first_and_stays(cloud: SsmCloud, ssm: Any) -> None:
    assert refused(ssm.put_parameter, Name="/a", Value="v") == (
        "ValidationException",
        "A parameter type is required when you create a parameter.",
    )
    cloud.put("/a", Type="StringList")
    other = {"Name": "/a", "Value": "v", "Type": "String", "Overwrite": True}
    assert code_of(ssm.put_parameter, **other) == "HierarchyTypeMismatchException"
    message = refused(ssm.put_parameter, Name="/b", Value="v", Type="Strng")[1]
    assert "Member must satisfy enum value set" in message


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("ssmThing", "ValidationException", WRONG_NAME),
        ("/SSM/thing", "ValidationException", WRONG_NAME),
        ("/a//b", "ValidationException", WRONG_NAME),
        ("/a/", "ValidationException", WRONG_NAME),
        ("/a/ü", "ValidationException", WRONG_NAME),
        ("/a b", "ValidationException", WRONG_NAME),
        ("/a:1", "ValidationException", WRONG_NAME),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/a", "ValidationException", WRONG_NAME),
        ("a/b", "ValidationException", "Parameter name must be a fully qualified name."),
        ("awsThing", "AccessDeniedException", "No access to reserved parameter name: awsThing."),
        ("/AWS/thing", "AccessDeniedException", "No access to reserved parameter name: /AWS/thing."),
        ("/l" * 16, "HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of 15 levels."),
        ("/" + "x" * 969, "ValidationException", "can't have more than 1011 characters"),
    ],
)
def test_what_can_be_no_name_is_refused(ssm: Any, name: str, code: str, message: str) -> None:
    said = refused(ssm.put_parameter, Name=name, Value="v", Type="String")
    assert said[0] == code
    assert message in said[1]


def test_the_longest_names_are_names(cloud: SsmCloud) -> None:
    # The ARN before it has 45 characters in us-east-2: here 45, too.
    for name in ("/l" * 15, "/" + "x" * (1011 - 45)):
        cloud.put(name)
        assert cloud.value(name) == "v"


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ({"Value": ""}, "ValidationException", "Member must have length greater than or equal to 1"),
        ({"Value": "a {{ssm:b}} c"}, "ValidationException", "can't nest another parameter"),
        ({"Value": "x" * 4097}, "ValidationException", "a maximum parameter value of 4096 characters. To create a"),
        ({"Value": "ü" * 2049}, "ValidationException", "4096 characters"),
        ({"Value": "x" * 8193, "Tier": "Advanced"}, "ValidationException", "8192 characters"),
        ({"Value": "x" * 8193, "Tier": "Intelligent-Tiering"}, "ValidationException", "8192 characters"),
        ({"Tags": [{"Key": "k", "Value": "v"}], "Overwrite": True}, "ValidationException", "tags and overwrite can't"),
        ({"Tags": [{"Key": "aws:k", "Value": "v"}]}, "ValidationException", "aws:"),
        ({"Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(51)]}, "TooManyTagsError", ""),
        ({"KeyId": "alias/mine"}, "ValidationException", "SecureString only"),
        ({"AllowedPattern": r"\d+"}, "ParameterPatternMismatchException", r"allowedPattern: \d+"),
        ({"AllowedPattern": "["}, "InvalidAllowedPatternException", "["),
        ({"AllowedPattern": r"(?=v)v"}, "InvalidAllowedPatternException", "?="),
        ({"Value": "1", "DataType": "json"}, "ValidationException", "don't support the data type json"),
        ({"DataType": "nonsense"}, "ValidationException", "nonsense"),
        ({"DataType": "aws:ec2:image"}, "NotImplemented", "aws:ec2:image"),
    ],
)
def test_what_makes_no_sense_is_refused(
    cloud: SsmCloud, ssm: Any, more: dict[str, Any], code: str, message: str
) -> None:
    said = refused(cloud.put, "/a", **more)
    assert said[0] == code
    assert message in said[1]
    assert ssm.describe_parameters()["Parameters"] == []


def test_a_pattern_counts_for_later_values_too(cloud: SsmCloud, ssm: Any) -> None:
    cloud.put("/a", "12", AllowedPattern=r"^\d+$")
    again = {"Name": "/a", "Overwrite": True}
    assert code_of(ssm.put_parameter, Value="x", **again) == "ParameterPatternMismatchException"
    assert ssm.put_parameter(Value="3", **again)["Version"] == 2


def test_a_pattern_that_takes_others_for_ever_is_held_against_a_value(cloud: SsmCloud) -> None:
    said = code_of(cloud.put, "/a", "a" * 4000 + "!", AllowedPattern="(a|a)*(a*)*b")
    assert said == "ParameterPatternMismatchException"


@pytest.mark.parametrize(
    ("data_type", "good", "bad"),
    [
        ("boolean", "true", "True"),
        ("integer", "-12", "1.5"),
        ("float", "1.5e3", "1,5"),
        ("aws:region", "eu-west-1", "mars"),
        ("aws:account:id", "123456789012", "12"),
        ("hostname", "a.example", "-a.example"),
        ("email", "a@example.com", "a@"),
        ("ipv4-address", "10.0.0.1", "10.0.0.256"),
        ("ipv6-address", "::1", "10.0.0.1"),
        ("url", "https://example.com/a", "example"),
        ("json", '{"a": [1]}', "{"),
    ],
)
def test_values_are_of_their_data_types(cloud: SsmCloud, ssm: Any, data_type: str, good: str, bad: str) -> None:
    more = {"DataType": data_type, "Tier": "Intelligent-Tiering"}
    cloud.put("/a", good, **more)
    assert ssm.get_parameter(Name="/a")["Parameter"]["DataType"] == data_type
    assert refused(cloud.put, "/b", bad, **more) == (
        "ValidationException",
        f"Parameter value: is not of the data type {data_type}.",
    )


def test_each_item_of_a_list_is_of_the_data_type(cloud: SsmCloud) -> None:
    cloud.put("/a", "1,2", Type="StringList", DataType="integer")
    assert code_of(cloud.put, "/b", "1,x", Type="StringList", DataType="integer") == "ValidationException"


def test_integrations_keep_their_data_type(cloud: SsmCloud) -> None:
    cloud.put("/a", DataType="aws:ssm:integration")
    assert code_of(cloud.put, "/a", DataType="text", Overwrite=True) == "ValidationException"


def test_tiers(ssm: Any) -> None:
    def tier(name: str, value: str = "v", **more: Any) -> str:
        chosen: str = ssm.put_parameter(Name=name, Value=value, Type="String", **more)["Tier"]
        return chosen

    assert tier("/a", "x" * 4096) == "Standard"
    assert tier("/b", "x" * 8192, Tier="Advanced") == "Advanced"
    assert tier("/c", Tier="Intelligent-Tiering") == "Standard"
    assert tier("/d", "x" * 4097, Tier="Intelligent-Tiering") == "Advanced"
    assert tier("/a", Tier="Advanced", Overwrite=True) == "Advanced"
    assert tier("/a", Overwrite=True) == "Advanced", "it stays what it is"
    downgrade = {"Name": "/a", "Value": "v", "Tier": "Standard", "Overwrite": True}
    assert "You can't downgrade a parameter" in refused(ssm.put_parameter, **downgrade)[1]


def test_the_default_tier_can_be_set(ssm: Any, cloud: SsmCloud) -> None:
    setting = "/ssm/parameter-store/default-parameter-tier"
    assert ssm.get_service_setting(SettingId=setting)["ServiceSetting"] == {
        "SettingId": setting,
        "SettingValue": "Standard",
        "ARN": f"arn:aws:ssm:us-east-1:{cloud.account}:servicesetting{setting}",
        "Status": "Default",
    }
    ssm.update_service_setting(SettingId=setting, SettingValue="Advanced")
    changed = ssm.get_service_setting(SettingId=setting)["ServiceSetting"]
    assert (changed["SettingValue"], changed["Status"]) == ("Advanced", "Customized")
    assert changed["LastModifiedUser"] == f"arn:aws:iam::{cloud.account}:root"
    assert ssm.put_parameter(Name="/a", Value="v", Type="String")["Tier"] == "Advanced"
    assert ssm.reset_service_setting(SettingId=changed["ARN"])["ServiceSetting"]["Status"] == "Default"
    assert ssm.put_parameter(Name="/b", Value="v", Type="String")["Tier"] == "Standard"
    wrong = {"SettingId": setting, "SettingValue": "Cheap"}
    assert code_of(ssm.update_service_setting, **wrong) == "ValidationException"
    assert code_of(ssm.get_service_setting, SettingId="/ssm/opsinsights/opscenter") == "ServiceSettingNotFound"


def test_several_are_read_at_once(ssm: Any, cloud: SsmCloud) -> None:
    for name in ("/b", "/a", "/c"):
        cloud.put(name, name)
    arn = f"arn:aws:ssm:us-east-1:{cloud.account}:parameter/c"
    answer = ssm.get_parameters(Names=["/b:1", "/a", arn, "/none", "/a:7", "/a:label", "a/b", "/a"])
    assert [(each["Name"], each["Value"], each.get("Selector")) for each in answer["Parameters"]] == [
        ("/a", "/a", None),
        ("/b", "/b", ":1"),
        ("/c", "/c", None),
    ]
    assert answer["InvalidParameters"] == ["/none", "/a:7", "/a:label", "a/b"]
    assert code_of(ssm.get_parameters, Names=[f"/{n}" for n in range(11)]) == "ValidationException"


def test_what_is_not_there_is_not_found(cloud: SsmCloud, ssm: Any) -> None:
    assert code_of(ssm.get_parameter, Name="/none") == "ParameterNotFound"
    assert code_of(ssm.get_parameter, Name="/aws/service/ami-amazon-linux-latest/x") == "ParameterNotFound"
    assert code_of(ssm.get_parameter, Name="arn:aws:ssm:eu-west-1:123456789012:parameter/a") == "ParameterNotFound"
    assert code_of(ssm.get_parameter, Name="arn:aws:sqs:us-east-1:123456789012:a") == "ValidationException"
    assert code_of(ssm.get_parameter, Name="a/b") == "ValidationException"
    cloud.put("/a")
    assert refused(ssm.get_parameter, Name="/a:2") == (
        "ParameterVersionNotFound",
        "Systems Manager could not find version 2 of /a. Verify the version and try again.",
    )
    assert code_of(ssm.get_parameter, Name="/a:label") == "ParameterVersionNotFound"


def test_what_is_deleted_is_gone_with_its_versions(cloud: SsmCloud, ssm: Any) -> None:
    cloud.put("/a")
    cloud.put("/a", "w", Overwrite=True)
    cloud.put("/a/b")
    ssm.delete_parameter(Name="/a")
    assert code_of(ssm.get_parameter, Name="/a") == "ParameterNotFound"
    assert code_of(ssm.delete_parameter, Name="/a") == "ParameterNotFound"
    assert cloud.value("/a/b") == "v"
    assert cloud.put("/a") == 1
    assert code_of(ssm.get_parameter, Name="/a:2") == "ParameterVersionNotFound"
    answer = ssm.delete_parameters(Names=["/a", "/none", "a/b", "/a/b"])
    assert answer["DeletedParameters"] == ["/a", "/a/b"]
    assert answer["InvalidParameters"] == ["/none", "a/b"]
    assert ssm.describe_parameters()["Parameters"] == []


def test_the_rest_of_systems_manager_is_not_there(ssm: Any) -> None:
    assert code_of(ssm.list_documents) == "NotImplemented"
