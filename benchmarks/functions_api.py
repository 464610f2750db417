"""Lambda and API Gateway around a measurement: functions that answer, and the APIs in front of them."""

import base64
import io
import json
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

from benchmarks.api import CallFailed
from benchmarks.contenders import KEY
from benchmarks.rest_api import RestApi
from benchmarks.scenarios import Wrong
from benchmarks.signing import Key

ROLE = f"arn:aws:iam::{KEY.account}:role/benchmark"
READY_SECONDS = 60.0
_FUNCTIONS = "/2015-03-31/functions"
_ANSWER = {"statusCode": 200, "body": "hello"}


@dataclass(frozen=True)
class Runtime:
    """A runtime, and a function for it that answers as one behind an HTTP API does."""

    name: str
    handler: str
    file: str
    code: str


PYTHON = Runtime(
    "python3.13",
    "index.handler",
    "index.py",
    'def handler(event, context):\n    return {"statusCode": 200, "body": "hello"}\n',
)
NODE = Runtime(
    "nodejs20.x",
    "index.handler",
    "index.mjs",
    'export const handler = async (event) => ({ statusCode: 200, body: "hello" });\n',
)


class FunctionsApi:
    """Lambda and API Gateway at `host`, called with `key`."""

    def __init__(self, host: str, key: Key) -> None:
        self.host = host
        self.functions = RestApi(host, key, "lambda")
        self.gateway = RestApi(host, key, "apigateway")

    def create_function(self, name: str, runtime: Runtime) -> str:
        """The ARN of a new function, which need not be ready yet."""
        function = {
            "FunctionName": name,
            "Runtime": runtime.name,
            "Role": ROLE,
            "Handler": runtime.handler,
            "Timeout": 20,
            "Code": {"ZipFile": base64.b64encode(_package(runtime)).decode()},
        }
        return str(self.functions.call("POST", _FUNCTIONS, function)["FunctionArn"])

    def wait_until_ready(self, name: str) -> None:
        """Return once a function is active."""
        end = time.monotonic() + READY_SECONDS
        while True:
            state = self.functions.call("GET", f"{_FUNCTIONS}/{name}/configuration").get("State", "Active")
            if state == "Active":
                return
            if state == "Failed" or time.monotonic() > end:
                raise CallFailed(f"the function {name} is {state}")
            time.sleep(0.005)

    def invoke(self, name: str) -> float:
        """Invoke a function; return the seconds until its answer. Wrong where that is not what the function says."""
        began = time.perf_counter()
        headers, answer = self.functions.send("POST", _invocations(name), b"{}")
        took = time.perf_counter() - began
        if "x-amz-function-error" in headers or json.loads(answer) != _ANSWER:
            raise Wrong(f"the function {name} answered {answer[:300]!r}")
        return took

    def invoke_request(self, name: str) -> bytes:
        """A whole request that invokes a function, signed now."""
        return self.functions.request("POST", _invocations(name), b"{}")

    def create_http_api(self, function: str) -> str:
        """The id of an HTTP API whose every request goes to the function with this ARN."""
        api = self._create_api({"name": "benchmark", "protocolType": "HTTP"})
        integration = {"integrationType": "AWS_PROXY", "integrationUri": function, "payloadFormatVersion": "2.0"}
        self._route(api, "$default", integration)
        self._stage(api, "$default")
        permission = {
            "StatementId": "gateway",
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
        }
        self.functions.call("POST", f"{_FUNCTIONS}/{quote(function, safe='')}/policy", permission)
        return api

    def create_websocket_api(self, stage: str) -> str:
        """The id of a WebSocket API that lets everybody connect and calls nobody."""
        selection = "$request.body.action"
        api = self._create_api(
            {"name": "benchmark", "protocolType": "WEBSOCKET", "routeSelectionExpression": selection}
        )
        self._route(api, "$default", {"integrationType": "MOCK"})
        self._stage(api, stage)
        return api

    def api_host(self, api: str) -> str:
        """The host by which an API is asked."""
        return f"{api}.execute-api.localhost:{self.host.partition(':')[2]}"

    def _create_api(self, parameters: Mapping[str, object]) -> str:
        return str(self.gateway.call("POST", "/v2/apis", parameters)["apiId"])

    def _route(self, api: str, key: str, integration: Mapping[str, object]) -> None:
        id = self.gateway.call("POST", f"/v2/apis/{api}/integrations", integration)["integrationId"]
        self.gateway.call("POST", f"/v2/apis/{api}/routes", {"routeKey": key, "target": f"integrations/{id}"})

    def _stage(self, api: str, stage: str) -> None:
        self.gateway.call("POST", f"/v2/apis/{api}/stages", {"stageName": stage, "autoDeploy": True})


def _invocations(name: str) -> str:
    return f"{_FUNCTIONS}/{name}/invocations"


@cache
def _package(runtime: Runtime) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(runtime.file, runtime.code)
    return packed.getvalue()
