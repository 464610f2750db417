"""How many requests a second a REST API answers: by a function, by a template, with an API key.

python -m tests.services.apigateway.rest.benchmark
"""

from __future__ import annotations

import asyncio

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.apigateway.benchmark import load
from tests.services.apigateway.rest.cloud import RestCloud

_TEMPLATE = """#set($root = $input.path('$'))
{"id": "$input.params('id')", "stage": "$context.stage", "from": "$context.identity.sourceIp"}"""


def main() -> None:
    with Server.start("--ephemeral") as server:
        cloud = RestCloud(Aws(server.endpoint, fresh_account()))
        api = cloud.rest_api()
        cloud.to_the_function(cloud.method(api, "/function/{id}"))
        cloud.mocked(api, "/mock/{id}", template=_TEMPLATE)
        cloud.mocked(api, "/key/{id}", template="{}", apiKeyRequired=True)
        cloud.deploy(api)
        stages = [{"apiId": api, "stage": "dev"}]
        quota = {"limit": 100_000_000, "period": "MONTH"}
        plan = cloud.client.create_usage_plan(name="plan", apiStages=stages, quota=quota)["id"]
        key = cloud.client.create_api_key(name="key", enabled=True)
        cloud.client.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
        for path, header in (("/function/7", ""), ("/mock/7", ""), ("/key/7", f"x-api-key: {key['value']}\r\n")):
            cloud.call(api, path)
            told = asyncio.run(load(cloud, f"/_aws/execute-api/{api}/dev{path}", header))
            print(path, told)  # noqa: T201


if __name__ == "__main__":
    main()
