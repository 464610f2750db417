"""REST APIs of an account, over a real socket."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.testing.server import Aws
from tests.services.apigateway.cloud import Answer, GatewayCloud


class RestCloud(GatewayCloud):
    """Clients of one account, and what tests of REST APIs do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.client: Any = aws.client("apigateway")

    @property
    def role(self) -> str:
        return f"arn:aws:iam::{self.account}:role/gateway"

    def rest_api(self, name: str = "shop", **more: Any) -> str:
        """Create an API; return its id."""
        id: str = self.client.create_rest_api(name=name, **more)["id"]
        return id

    def resource(self, api: str, path: str) -> str:
        """Return the id of the resource at a path, which is made where it is missing."""
        known = {each["path"]: each["id"] for each in self.client.get_resources(restApiId=api, limit=500)["items"]}
        at = "/"
        for part in path.strip("/").split("/") if path != "/" else ():
            below = f"{at.rstrip('/')}/{part}"
            if below not in known:
                made = self.client.create_resource(restApiId=api, parentId=known[at], pathPart=part)
                known[below] = made["id"]
            at = below
        return known[at]

    def method(self, api: str, path: str, verb: str = "GET", **more: Any) -> dict[str, str]:
        """Create a method; return what names it."""
        names = {"restApiId": api, "resourceId": self.resource(api, path), "httpMethod": verb}
        self.client.put_method(**names, authorizationType=more.pop("authorizationType", "NONE"), **more)
        return names

    def invocation(self) -> str:
        """Return the URI by which integrations and authorizers name the account's function."""
        return f"arn:aws:apigateway:{self.aws.region}:lambda:path/2015-03-31/functions/{self.function()}/invocations"

    def to_the_function(self, names: dict[str, str], kind: str = "AWS_PROXY", **more: Any) -> None:
        """Let the account's function answer a method."""
        self.client.put_integration(**names, type=kind, integrationHttpMethod="POST", uri=self.invocation(), **more)

    def to_service(self, names: dict[str, str], uri: str, verb: str = "POST", **more: Any) -> None:
        """Let a service of AWS answer a method; `uri` is what follows the region."""
        uri = f"arn:aws:apigateway:{self.aws.region}:{uri}"
        self.client.put_integration(
            **names, type="AWS", integrationHttpMethod=verb, uri=uri, credentials=self.role, **more
        )

    def to_mock(self, names: dict[str, str], template: str = '{"statusCode": 200}', **more: Any) -> None:
        """Let the gateway itself answer a method."""
        templates = {"application/json": template}
        self.client.put_integration(**names, type="MOCK", requestTemplates=templates, **more)

    def response(
        self,
        names: dict[str, str],
        status: str = "200",
        *,
        headers: dict[str, str] | None = None,
        template: str | None = None,
        **more: Any,
    ) -> None:
        """Add a method response with its integration response; `headers` have where their values are from."""
        declared = {f"method.response.header.{name}": False for name in headers or {}}
        mapped = {f"method.response.header.{name}": source for name, source in (headers or {}).items()}
        self.client.put_method_response(**names, statusCode=status, responseParameters=declared)
        templates = {} if template is None else {"responseTemplates": {"application/json": template}}
        self.client.put_integration_response(**names, statusCode=status, responseParameters=mapped, **templates, **more)

    def mocked(self, api: str, path: str, verb: str = "GET", template: str | None = None, **more: Any) -> None:
        """Create a method that is answered 200 by a template."""
        names = self.method(api, path, verb, **more)
        self.to_mock(names)
        self.response(names, template=template)

    def deploy(self, api: str, stage: str = "dev", **more: Any) -> str:
        """Deploy an API to a stage; return the deployment's id."""
        id: str = self.client.create_deployment(restApiId=api, stageName=stage, **more)["id"]
        return id

    def patch(self, operation: str, *patches: tuple[str | None, ...], **names: Any) -> dict[str, Any]:
        """Call an update with patch operations: (operation, path[, value[, from]])."""
        listed = []
        for patch in patches:
            named = zip(("op", "path", "value", "from"), patch, strict=False)
            listed.append({name: value for name, value in named if value is not None})
        answer: dict[str, Any] = getattr(self.client, operation)(**names, patchOperations=listed)
        return answer

    def call(self, api: str, path: str = "/", *, stage: str = "dev", **more: Any) -> Answer:
        """Send a request to a stage of an API."""
        return self.ask(api, f"/{stage}{path}", **more)


def echoed(answer: Answer) -> Any:
    """Return the event that the account's function has answered with."""
    assert answer.status == 200, answer
    return json.loads(answer.body)
