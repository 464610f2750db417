"""Placement of tasks on the container instance: constraints, and the cluster query language."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.services.ecs import query_language
from cloudlet.services.ecs.errors import InvalidParameter
from cloudlet.services.ecs.query_language import Facts
from cloudlet.testing.server import Aws
from tests.services.ecs.containers import Tasks
from tests.services.ecs.serving import Services
from tests.standing import eventually

FACTS = Facts(
    {"stack": "prod", "ecs.instance-type": "g2.large", "rack": "7"},
    {"agentConnected": "true", "runningTasksCount": "2", "registeredAt": "2026-06-18T22:28:28.000Z"},
    frozenset({"service:web", "family:job"}),
)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("attribute:stack == prod", True),
        ("attribute:stack equals test", False),
        ("attribute:stack != prod", False),
        ("attribute:stack not_equals test", True),
        ("attribute:ecs.instance-type =~ g2.*", True),
        ("attribute:ecs.instance-type matches g3.*", False),
        ("attribute:ecs.instance-type !~ g3.*", True),
        ("attribute:none exists", False),
        ("attribute:none !exists", True),
        ("attribute:none not_exists", True),
        ("attribute:stack in [test, prod]", True),
        ("attribute:stack !in [test, prod]", False),
        ("attribute:stack not_in [test]", True),
        ("attribute:rack > 10", False),
        ("attribute:rack less_than_equal 7", True),
        ("attribute:rack >= 6 and attribute:rack < 8", True),
        ("task:group == service:web", True),
        ("not(task:group == service:web)", False),
        ("!(task:group == database) && runningTasksCount == 2", True),
        ("attribute:stack == test or agentConnected == true", True),
        ("attribute:stack == test || attribute:stack == prod and attribute:rack == 8", False),
        ("registeredAt > 2026-01-01T00:00:00+00:00", True),
        ('attribute:stack == "prod"', True),
    ],
)
def test_an_expression_holds(expression: str, holds: bool) -> None:
    assert query_language.parse(expression)(FACTS) is holds


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "stack == prod",
        "attribute:stack",
        "attribute:stack ==",
        "(attribute:stack exists",
        "attribute:a in []",
        'attribute:a =~ "["',
        "attribute:a == b c",
        "attribute: == a",
        "attribute:a in [b c]",
        "attribute:a !== b",
    ],
)
def test_one_that_makes_no_sense_is_refused(expression: str) -> None:
    with pytest.raises(InvalidParameter):
        query_language.parse(expression)


@pytest.fixture
def tasks(aws: Aws) -> Tasks:
    return Tasks(aws)


def constrain(expression: str) -> list[dict[str, str]]:
    return [{"type": "memberOf", "expression": expression}]


def test_tasks_are_where_constraints_let_them_be(tasks: Tasks) -> None:
    (instance,) = tasks.ecs.list_container_instances()["containerInstanceArns"]
    tasks.ecs.put_attributes(attributes=[{"name": "stack", "value": "prod", "targetId": instance}])
    assert tasks.ecs.list_container_instances(filter="attribute:stack == prod")["containerInstanceArns"] == [instance]
    assert tasks.ecs.list_container_instances(filter="attribute:stack == test")["containerInstanceArns"] == []
    definition = tasks.register({"stopTimeout": 1})

    def run(**members: Any) -> dict[str, Any]:
        answer: dict[str, Any] = tasks.ecs.run_task(taskDefinition=definition, **members)
        return answer

    assert len(run(placementConstraints=constrain("attribute:stack == prod"))["tasks"]) == 1
    refused = run(placementConstraints=constrain("attribute:stack == test"), count=2)
    failure = {"arn": instance, "reason": "MemberOf placement constraint unsatisfied."}
    assert (refused["tasks"], refused["failures"]) == ([], [failure, failure])
    distinct = run(placementConstraints=[{"type": "distinctInstance"}], group="one", count=2)
    assert (len(distinct["tasks"]), len(distinct["failures"])) == (1, 1)
    other = tasks.register({}, placementConstraints=constrain("attribute:stack == test"))
    refused = tasks.ecs.run_task(taskDefinition=other)
    assert [each["reason"] for each in refused["failures"]] == ["MemberOf placement constraint unsatisfied."]
    large = tasks.register({"memory": 100_000_000})
    refused = tasks.ecs.run_task(taskDefinition=large)
    assert [each["reason"] for each in refused["failures"]] == ["RESOURCE:MEMORY"]


def test_services_wait_for_an_instance_that_fits(aws: Aws) -> None:
    web = Services(aws)
    web.create(desiredCount=1, placementConstraints=constrain("attribute:stack == prod"))
    told = eventually(web.list_messages)
    assert told[0].startswith("(service web) was unable to place a task because no container instance met all")
    (instance,) = web.ecs.list_container_instances()["containerInstanceArns"]
    web.ecs.put_attributes(attributes=[{"name": "stack", "value": "prod", "targetId": instance}])
    web.update(desiredCount=1)
    web.settle()
