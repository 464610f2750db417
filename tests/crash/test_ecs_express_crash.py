"""The block of ECS, killed while it makes and removes all that an Express service needs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import blocks
from tests.services.ecs.express import ExpressMode
from tests.standing import eventually

_KILLS = 6


def test_everything_is_made_once_and_removed_when_the_block_is_killed(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        web = ExpressMode(Aws(server.endpoint, fresh_account()))

        def kill() -> None:
            """Kill the block again and again, each time in another step."""
            for number in range(_KILLS):
                time.sleep(0.04 * number)
                os.kill(blocks(server.endpoint)["ecs"]["process"], signal.SIGKILL)

        made = web.start()
        kill()
        (path,) = made["activeConfigurations"][0]["ingressPaths"]
        web.eventually_answer(path["endpoint"], "one\n")
        assert {name: number for name, number in web.list_left().items() if name not in ("alarms", "targets")} == {
            **{"balancers": 1, "groups": 2, "security groups": 2, "certificates": 2}
        }
        for group in web.aws.client("elbv2").describe_target_groups()["TargetGroups"]:
            attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
            web.aws.client("elbv2").modify_target_group_attributes(
                TargetGroupArn=group["TargetGroupArn"], Attributes=attributes
            )
        web.ecs.delete_express_gateway_service(serviceArn=made["serviceArn"])
        kill()
        eventually(web.list_left, lambda left: not left)
        assert web.read_service(made["serviceArn"])["status"]["statusCode"] == "INACTIVE"
