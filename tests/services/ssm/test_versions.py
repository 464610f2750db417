"""Versions of parameters, and their labels."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.refused import code_of, refused
from tests.services.ssm.cloud import SsmCloud
from tests.sizes import examples


def test_a_history_has_all_versions_the_oldest_first(cloud: SsmCloud) -> None:
    cloud.put("/a", "1", Description="first")
    cloud.update("/a", "2", Description="second")
    cloud.ssm.label_parameter_version(Name="/a", ParameterVersion=1, Labels=["old"])
    one, two = cloud.ssm.get_parameter_history(Name="/a")["Parameters"]
    assert (one["Version"], one["Value"], one["Description"], one["Labels"]) == (1, "1", "first", ["old"])
    assert (two["Version"], two["Value"], two["Description"], two["Labels"]) == (2, "2", "second", [])
    assert one["LastModifiedUser"] == f"arn:aws:iam::{cloud.account}:root"
    assert one["LastModifiedDate"] < two["LastModifiedDate"]
    pages = cloud.ssm.get_paginator("get_parameter_history").paginate(Name="/a", PaginationConfig={"PageSize": 1})
    assert [each["Version"] for page in pages for each in page["Parameters"]] == [1, 2]
    assert code_of(cloud.ssm.get_parameter_history, Name="/none") == "ParameterNotFound"
    assert code_of(cloud.ssm.get_parameter_history, Name="/a", NextToken="!") == "InvalidNextToken"
    assert code_of(cloud.ssm.get_parameter_history, Name="/a:1") == "ValidationException"


def test_a_label_leads_to_its_version_and_can_be_moved(cloud: SsmCloud) -> None:
    cloud.put("/a", "1")
    cloud.update("/a", "2")
    answer = cloud.ssm.label_parameter_version(Name="/a", Labels=["live"])
    assert (answer["ParameterVersion"], answer["InvalidLabels"]) == (2, [])
    found = cloud.ssm.get_parameter(Name="/a:live")["Parameter"]
    assert (found["Value"], found["Version"], found["Selector"], found["Name"]) == ("2", 2, ":live", "/a")
    cloud.ssm.label_parameter_version(Name="/a", ParameterVersion=1, Labels=["live"])
    assert cloud.value("/a:live") == "1"
    assert cloud.value(cloud.arn("/a") + ":live") == "1"


def test_labels_that_can_be_none_are_listed(cloud: SsmCloud) -> None:
    cloud.put("/a")
    labels = ["good", "1st", "awsome", "SSM", "with space", "Also.good_-1"]
    answer = cloud.ssm.label_parameter_version(Name="/a", Labels=labels)
    assert answer["InvalidLabels"] == ["1st", "awsome", "SSM", "with space"]
    (version,) = cloud.ssm.get_parameter_history(Name="/a")["Parameters"]
    assert version["Labels"] == ["good", "Also.good_-1"]


def test_a_version_has_ten_labels_at_most(cloud: SsmCloud) -> None:
    cloud.put("/a")
    cloud.ssm.label_parameter_version(Name="/a", Labels=[f"l{number}" for number in range(10)])
    cloud.ssm.label_parameter_version(Name="/a", Labels=["l1"])
    assert refused(cloud.ssm.label_parameter_version, Name="/a", Labels=["one-more"]) == (
        "ParameterVersionLabelLimitExceeded",
        "A parameter version can have maximum 10 labels. Move one or more labels to another version and try again.",
    )


def test_labels_are_taken_away(cloud: SsmCloud) -> None:
    cloud.put("/a")
    cloud.update("/a")
    cloud.ssm.label_parameter_version(Name="/a", ParameterVersion=1, Labels=["x", "y"])
    cloud.ssm.label_parameter_version(Name="/a", ParameterVersion=2, Labels=["z"])
    answer = cloud.ssm.unlabel_parameter_version(Name="/a", ParameterVersion=1, Labels=["x", "z", "none"])
    assert (answer["RemovedLabels"], answer["InvalidLabels"]) == (["x"], ["z", "none"])
    assert code_of(cloud.ssm.get_parameter, Name="/a:x") == "ParameterVersionNotFound"
    assert cloud.value("/a:y") == cloud.value("/a:z") == "v"


@pytest.mark.parametrize("operation", ["label_parameter_version", "unlabel_parameter_version"])
def test_labels_are_of_versions_that_are_there(cloud: SsmCloud, operation: str) -> None:
    call = getattr(cloud.ssm, operation)
    assert code_of(call, Name="/a", ParameterVersion=1, Labels=["x"]) == "ParameterNotFound"
    cloud.put("/a")
    for number in (0, 2):
        assert code_of(call, Name="/a", ParameterVersion=number, Labels=["x"]) == "ParameterVersionNotFound"
    assert code_of(call, Name=cloud.arn("/a"), ParameterVersion=1, Labels=["x"]) == "ValidationException"


def test_a_hundred_versions_are_kept_unless_the_oldest_has_a_label(cloud: SsmCloud) -> None:
    cloud.put("/a", "1")
    for number in range(2, 102):
        assert cloud.update("/a", str(number)) == number
    assert code_of(cloud.ssm.get_parameter, Name="/a:1") == "ParameterVersionNotFound"
    assert cloud.value("/a:2") == "2"
    pages = cloud.ssm.get_paginator("get_parameter_history").paginate(Name="/a")
    assert sum(len(page["Parameters"]) for page in pages) == 100
    cloud.ssm.label_parameter_version(Name="/a", ParameterVersion=2, Labels=["keep"])
    assert refused(cloud.update, "/a") == (
        "ParameterMaxVersionLimitExceeded",
        "You attempted to create a new version of /a by calling the PutParameter API with the overwrite flag. Version "
        "2, the oldest version, can't be deleted because it has a label associated with it. Move the label to another "
        "version of the parameter, and try again.",
    )
    cloud.ssm.label_parameter_version(Name="/a", ParameterVersion=3, Labels=["keep"])
    assert cloud.update("/a") == 102


_LABELS = st.sampled_from(["a", "b", "c"])


class _Versions(RuleBasedStateMachine):
    """A parameter against a list of values, and a map of labels to numbers."""

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.values: list[str] = []
        self.labels: dict[str, int] = {}

    @initialize()
    def start(self) -> None:
        self.cloud = SsmCloud(Aws(self.server.endpoint, fresh_account()))
        self.ssm = self.cloud.ssm

    @rule(value=st.sampled_from(["x", "y"]))
    def put(self, value: str) -> None:
        more: dict[str, Any] = {} if self.values else {"Type": "String"}
        self.values.append(value)
        answer = self.ssm.put_parameter(Name="/p", Value=value, Overwrite=True, **more)
        assert answer["Version"] == len(self.values)

    @rule()
    def delete(self) -> None:
        if self.values:
            self.ssm.delete_parameter(Name="/p")
            self.values, self.labels = [], {}

    @rule(number=st.integers(1, 4), labels=st.sets(_LABELS, min_size=1))
    def label(self, number: int, labels: set[str]) -> None:
        params = {"Name": "/p", "ParameterVersion": number, "Labels": sorted(labels)}
        if number <= len(self.values):
            self.ssm.label_parameter_version(**params)
            self.labels |= dict.fromkeys(labels, number)
        else:
            assert "NotFound" in code_of(self.ssm.label_parameter_version, **params)

    @rule(number=st.integers(1, 4), labels=st.sets(_LABELS, min_size=1))
    def unlabel(self, number: int, labels: set[str]) -> None:
        if number <= len(self.values):
            params = {"Name": "/p", "ParameterVersion": number, "Labels": sorted(labels)}
            removed = {label for label in labels if self.labels.get(label) == number}
            assert set(self.ssm.unlabel_parameter_version(**params)["RemovedLabels"]) == removed
            self.labels = {label: other for label, other in self.labels.items() if label not in removed}

    @invariant()
    def has_what_the_model_has(self) -> None:
        if not self.values:
            assert code_of(self.ssm.get_parameter, Name="/p") == "ParameterNotFound"
            return
        history = self.ssm.get_parameter_history(Name="/p")["Parameters"]
        assert [each["Value"] for each in history] == self.values
        shown = {label: each["Version"] for each in history for label in each["Labels"]}
        assert shown == self.labels
        for label, number in self.labels.items():
            assert self.cloud.value(f"/p:{label}") == self.values[number - 1]
        assert self.cloud.value("/p") == self.values[-1]


def test_versions_and_labels_do_what_a_plain_model_says(cloudlet_server: Server) -> None:
    class Machine(_Versions):
        server = cloudlet_server

    case = Machine.TestCase
    case.settings = settings(max_examples=examples(60), stateful_step_count=15)
    case().runTest()
