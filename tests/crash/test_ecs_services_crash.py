"""The block of ECS, and the whole Cloudlet, killed while services are deployed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import blocks
from tests.services.ecs.balancing import Balanced, configure
from tests.services.ecs.connected import LOCAL, Connected
from tests.services.ecs.managing import Managed
from tests.services.ecs.serving import Services, is_settled
from tests.standing import eventually


def test_a_deployment_goes_on_when_the_block_is_killed(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        web = Services(Aws(server.endpoint, fresh_account()))
        web.create(desiredCount=2)
        web.settle()
        old = web.list_tasks()
        for _ in range(3):
            web.update(forceNewDeployment=True)
            os.kill(blocks(server.endpoint)["ecs"]["process"], signal.SIGKILL)
        web.settle()
        new = web.list_tasks()
        assert (len(new), {*new} & {*old}) == (2, set())
        ended = web.ecs.describe_tasks(tasks=web.ecs.list_tasks(desiredStatus="STOPPED")["taskArns"])["tasks"]
        # Nothing has ended but what was to be replaced, and nothing of that runs on.
        assert {task["stopCode"] for task in ended} == {"ServiceSchedulerInitiated"}
        assert len(web.ecs.list_tasks()["taskArns"]) == 2


def test_a_daemon_is_deployed_when_the_block_is_killed(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        managed = Managed(Aws(server.endpoint, fresh_account()))
        arn = managed.create_daemon(managed.define())["daemonArn"]
        for number in range(2):
            deployment = managed.update_daemon(arn, managed.define("sleep", str(1000 + number)))["deploymentArn"]
            managed.list_instances()
            os.kill(blocks(server.endpoint)["ecs"]["process"], signal.SIGKILL)
        managed.until_status(deployment, "SUCCESSFUL")
        (instance,) = managed.list_instances()
        (task,) = managed.list_daemon_tasks()
        assert task["containerInstanceArn"] == instance["containerInstanceArn"]
        assert task["taskDefinitionArn"].endswith("agent:3")


def test_targets_are_those_that_run_when_the_block_is_killed(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        web = Balanced(Aws(server.endpoint, fresh_account()))
        web.create(desiredCount=1, loadBalancers=[web.shift()], deploymentConfiguration=configure("BLUE_GREEN"))
        web.settle()
        for _ in range(2):
            web.update(forceNewDeployment=True)
            for _ in range(4):
                # In other stages each time.
                web.look()
                os.kill(blocks(server.endpoint)["ecs"]["process"], signal.SIGKILL)
            web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
            web.settle()
        assert (web.get_weights(web.rule), web.get_weights(web.test_rule)) == ((100, 0), (100, 0))
        eventually(lambda: web.list_targets(web.green), lambda found: not found)
        assert web.list_targets(web.blue) == web.list_addresses()


def test_nothing_changes_while_load_balancers_cannot_be_asked(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        web = Balanced(Aws(server.endpoint, fresh_account()))
        web.create(desiredCount=1)
        web.settle()
        told = eventually(web.list_messages, lambda told: told[-1].endswith("steady state."))
        before = web.list_tasks()
        for _ in range(3):
            os.kill(blocks(server.endpoint)["elbv2"]["process"], signal.SIGKILL)
            eventually(lambda: _find_state(web), lambda state: state == "healthy")
        assert (web.list_tasks(), web.list_messages()) == (before, told)


def _find_state(web: Balanced) -> str:
    """Return what the load balancer says of the one target, if it says anything."""
    try:
        (found,) = web.balancers.health(web.blue)
    except ClientError:
        return ""
    return str(found["TargetHealth"]["State"])


def test_proxies_learn_of_new_tasks_when_the_block_is_killed(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        web = Connected(Aws(server.endpoint, fresh_account()))
        web.publish()
        web.serve([LOCAL])
        web.settle()
        web.call("while true; do wget -q -O - http://shop/item || echo failed; sleep 0.1; done")
        old = {*eventually(web.read_client, lambda lines: len({*lines}) == 2)}
        os.kill(blocks(server.endpoint)["ecs"]["process"], signal.SIGKILL)
        web.update(forceNewDeployment=True)
        web.settle()
        os.kill(blocks(server.endpoint)["ecs"]["process"], signal.SIGKILL)
        new = {*eventually(web.read_client, lambda lines: len({*lines[-20:]}) == 2 and not {*lines[-20:]} & old)[-20:]}
        assert len(new) == 2
        assert "failed" not in web.read_client()


def test_services_come_back_with_cloudlet(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        web = Managed(Aws(server.endpoint, account))
        web.create(desiredCount=2)
        web.until_status(web.create_daemon(web.define())["deploymentArn"], "SUCCESSFUL")
        web.settle()
        old, (daemon,) = web.list_tasks(), web.list_daemon_tasks()
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        web.ecs = Aws(server.endpoint, account).client("ecs")
        found = web.until(lambda service: is_settled(service) and not {*web.list_tasks()} & {*old})
        assert (found["runningCount"], found["deployments"][0]["failedTasks"]) == (2, 0)
        (again,) = eventually(web.list_daemon_tasks, lambda each: [one["lastStatus"] for one in each] == ["RUNNING"])
        assert again["taskArn"] != daemon["taskArn"]
        # Its instance was not replaced: nothing has failed there.
        assert again["containerInstanceArn"] == daemon["containerInstanceArn"]
        web.until_instances(lambda each: [one["status"] for one in each] == ["ACTIVE"])
