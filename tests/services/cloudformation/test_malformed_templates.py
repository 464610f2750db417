"""Templates that make no sense, or too much of it, are refused in AWS's words, soon, and with little memory."""

from __future__ import annotations

import copy
import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.cloudformation.compiling import compile_target
from cloudlet.services.cloudformation.operations import preparing
from cloudlet.services.cloudformation.stack_record import Stack, Target
from cloudlet.services.cloudformation.templates import functions, language_extensions, parameters
from cloudlet.services.cloudformation.templates.functions import Scope, check_rules
from cloudlet.services.cloudformation.templates.parsing import parse_template
from cloudlet.services.cloudformation.templates.template import read_template
from tests.services.cloudformation.deploying import parameter, queue

QUEUE = {"Resources": {"Q": queue()}}
EVERYTHING: dict[str, Any] = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Parameters": {
        "A": {"Type": "String", "Default": "x", "AllowedValues": ["x"], "MinLength": 1, "AllowedPattern": "[a-z]+"},
        "N": {"Type": "Number", "Default": 5, "MinValue": 1, "MaxValue": 10},
        "L": {"Type": "CommaDelimitedList", "Default": "a,b"},
    },
    "Mappings": {"M": {"us-east-1": {"v": "1", "l": ["a"]}}},
    "Conditions": {"C": {"Fn::Equals": [{"Ref": "A"}, "x"]}, "D": {"Fn::Not": [{"Condition": "C"}]}},
    "Rules": {
        "R": {"RuleCondition": {"Fn::Equals": ["a", "a"]}, "Assertions": [{"Assert": {"Fn::Contains": [["x"], "x"]}}]}
    },
    "Resources": {
        "Q": {
            **queue(
                DelaySeconds={"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "v"]},
                QueueName={"Fn::Sub": ["${AWS::StackName}-${x}", {"x": {"Fn::Select": [0, {"Ref": "L"}]}}]},
            ),
            "Condition": "C",
            "DependsOn": ["P"],
            "DeletionPolicy": "Delete",
        },
        "P": parameter({"Fn::Join": ["-", ["a", {"Fn::If": ["C", "b", {"Ref": "AWS::NoValue"}]}]]}),
    },
    "Outputs": {"O": {"Value": {"Fn::GetAtt": ["Q", "Arn"]}, "Condition": "C", "Export": {"Name": {"Ref": "A"}}}},
}
FUNCTIONS = (*functions.BY_NAME, "Fn::ForEach::X", "Fn::Transform", "Fn::Nope")
NAMES = ("", "A", "C", "L", "M", "P", "Q", "AWS::NoValue", "AWS::Region", "Q.Arn", "${", "${Q.}", "${L}", "(", "²", "1")
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from((None, True, 0, -1, 1.5, 10**30, *NAMES)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from((*FUNCTIONS, "Type", "Properties", "")), inner, max_size=2)
        | st.builds(lambda name, value: {name: value}, st.sampled_from(FUNCTIONS), inner)
    ),
    max_leaves=6,
)


def _list_places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in steps for found in [(*place, key), *_list_places(item, (*place, key))]]


PLACES = _list_places(EVERYTHING)


def prepare(text: str) -> None:
    """Check a template as CreateStack does. Raises AwsError."""
    raw = parse_template(text)
    declared = read_template(raw)
    parameters.check_declarations(declared)
    target = Target("", text, json.dumps(raw), parameters.bind_parameters(declared, {}))
    compiled = compile_target(Stack("123456789012", "us-east-1", "i", "s", "", 0.0), target)
    check_rules(compiled.template.rules, compiled.make_scope())
    preparing.evaluate(compiled)


@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
def test_whatever_stands_where_it_should_not_is_an_error_of_aws(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    template = copy.deepcopy(EVERYTHING)
    for place, value in changes:
        at: Any = template
        # A change before may have taken the place away.
        with suppress(LookupError, TypeError):
            for step in place[:-1]:
                at = at[step]
            at[place[-1]] = value
    try:
        prepare(json.dumps(template))
    except AwsError as error:
        assert error.code == "ValidationError"  # noqa: PT017


def test_the_template_that_is_changed_is_right() -> None:
    prepare(json.dumps(EVERYTHING))


def _double(times: int) -> Any:
    value: Any = "x"
    for _ in range(times):
        value = {"Fn::Sub": ["${a}${a}", {"a": value}]}
    return value


CHAIN = {f"C{one}": {"Fn::Not": [{"Condition": f"C{one + 1}"}]} for one in range(200)}
BOMB = "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + one)}: &{chr(98 + one)} [{','.join(['*' + chr(97 + one)] * 8)}]\n" for one in range(10)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":' * 3000 + "1" + "}" * 3000, "nested more than 100 levels deep"),
        ("[" * 50_000, "YAML not well-formed"),
        ("\n".join(" " * depth + "a:" for depth in range(300)), "YAML not well-formed"),
        (f"Metadata:\n  b: &b 1\n  c: *b\n{json.dumps(QUEUE)[1:-1]}", "YAML"),
        ("Metadata: {a: &a 1, b: *a}\nResources: {}", "YAML aliases are not allowed in CloudFormation templates"),
        ('{"Metadata": NaN}', "The number nan is not allowed in templates"),
        ('{"Metadata": 1e999}', "The number inf is not allowed in templates"),
        ("Metadata: .inf", "The number inf is not allowed in templates"),
        ('{"Description": "\\ud800"}', "characters that are not Unicode"),
        ("Metadata: !!binary aGFsbG8=", "YAML not well-formed. (line 1, column 11)"),
        ("Metadata: !!set {a, b}", "YAML not well-formed"),
        ("? [a, b]\n: 1", "YAML not well-formed"),
        ("Resources:\n\tQ: 1", "YAML not well-formed. (line 2, column 1)"),
        (json.dumps({"Resources": {"Q": parameter(_double(30))}}), "the values of its functions have more than"),
        (json.dumps({"Resources": {"Q": queue(QueueName={"Ref": "Q"})}}), "Circular dependency between resources: [Q]"),
        (json.dumps({"Resources": {"Q" * 256: queue()}}), "is longer than 255 characters"),
        (
            json.dumps(
                {"Conditions": {f"C{n}": {"Fn::Not": [{"Condition": f"C{n + 1}"}]} for n in range(500)}} | QUEUE
            ),
            "Conditions refer to each other too deeply",
        ),
        (
            json.dumps({"Mappings": {"M": {"a": {"b": {"Ref": "AWS::Region"}}}}} | QUEUE),
            "Every Mappings attribute must be a String or a List.",
        ),
        (
            json.dumps({"Parameters": {"A": {"Type": "String", "Default": "x", "MinLength": "no"}}} | QUEUE),
            "Every MinLength member must be a number.",
        ),
        (
            json.dumps({"Parameters": {"A": {"Type": "String", "Default": "x" * 4097}}} | QUEUE),
            "Parameter 'A' default value '[...]' length is greater than 4096.",
        ),
    ],
)
def test_a_template_that_is_wrong_or_too_large_is_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError, match=re.escape(message)):
        prepare(text)


def test_aliases_of_snippets_do_not_multiply_without_end() -> None:
    assert parse_template("a: &a 1\nb: *a", has_aliases=True) == {"a": 1, "b": 1}
    with pytest.raises(AwsError, match="more than 500000 values"):
        parse_template(BOMB, has_aliases=True)
    with pytest.raises(AwsError, match=r"levels deep|not well-formed"):
        parse_template("a: &a [*a]", has_aliases=True)


def test_loops_do_not_multiply_without_end() -> None:
    items = [str(number) for number in range(100)]
    body: Any = {"Q${A}${B}${C}${D}": queue()}
    for name in "DCBA":
        body = {f"Fn::ForEach::{name}": [name, items, body]}
    with pytest.raises(AwsError, match="Fn::ForEach makes more than"):
        language_extensions.expand_loops({"Resources": body}, Scope(values={}).resolve)


def test_keys_are_texts_as_they_are_written() -> None:
    found = parse_template("Mappings: {M: {012345678901: {Yes: a, 1.10: b, true: c}}}")
    assert found["Mappings"]["M"] == {"012345678901": {"Yes": "a", "1.10": "b", "true": "c"}}


def test_a_pattern_that_takes_for_ever_is_given_up() -> None:
    declared = {"Type": "String", "Default": "1," * 60, "AllowedPattern": "(.*?,){11,}P"}
    with pytest.raises(AwsError, match="takes too long to be matched"):
        prepare(json.dumps({"Parameters": {"A": declared}} | QUEUE))


def test_patterns_are_those_of_java() -> None:
    for pattern, text in ((r"(?=.*[A-Z])(?!^x)\w+", "aB"), (r"\p{Alnum}++", "a1")):
        declared = {"Type": "String", "Default": text, "AllowedPattern": pattern}
        prepare(json.dumps({"Parameters": {"A": declared}} | QUEUE))
