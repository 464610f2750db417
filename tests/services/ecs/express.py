"""Express services, for tests."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from cloudlet.testing.server import Aws
from tests.modes import MODE
from tests.services.ecs.serving import Services
from tests.standing import eventually


class ExpressMode(Services):
    """ECS of an account, with an Express service that is called web."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        if MODE == "strict":
            self.create_role("infrastructure", "ecs.amazonaws.com")

    def find_role(self, name: str) -> str:
        return f"arn:aws:iam::{self.aws.account}:role/{name}"

    def answer(self, body: str) -> dict[str, Any]:
        """Return a container that answers with a text."""
        script = f"echo {body} > /srv/index.html; echo ok > /srv/ping; exec httpd -f -h /srv"
        return {"image": self.image, "command": ["sh", "-c", script]}

    def start(self, **members: Any) -> dict[str, Any]:
        given: dict[str, Any] = {
            "serviceName": "web",
            "executionRoleArn": self.find_role("execution"),
            "infrastructureRoleArn": self.find_role("infrastructure"),
            "primaryContainer": self.answer("one"),
            **members,
        }
        return dict(self.ecs.create_express_gateway_service(**given)["service"])

    def read_service(self, arn: str) -> dict[str, Any]:
        return dict(self.ecs.describe_express_gateway_service(serviceArn=arn, include=["TAGS"])["service"])

    def ask(self, endpoint: str) -> tuple[int, str]:
        """Return the status and the body of a response by the front door."""
        host = endpoint.removeprefix("https://")
        try:
            with urlopen(Request(self.aws.endpoint + "/", headers={"Host": host}), timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)

    def eventually_answer(self, endpoint: str, body: str) -> None:
        eventually(lambda: self.ask(endpoint), lambda found: found == (200, body))

    def read_revision(self, arn: str) -> dict[str, Any]:
        (found,) = self.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"]
        return dict(found)
