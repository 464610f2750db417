"""Parameter Store of an account, over a real socket."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.queues import QueueCloud


class SsmCloud(QueueCloud):
    """Clients of one account, and what tests do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.ssm: Any = aws.client("ssm")

    def put(self, name: str, value: str = "v", **more: Any) -> int:
        """Put a parameter of the type String; return the number of its version."""
        params = {"Name": name, "Value": value, "Type": "String", **more}
        number: int = self.ssm.put_parameter(**params)["Version"]
        return number

    def update(self, name: str, value: str = "v", **more: Any) -> int:
        """Put another version of a parameter; return its number."""
        number: int = self.ssm.put_parameter(Name=name, Value=value, Overwrite=True, **more)["Version"]
        return number

    def value(self, name: str, **more: Any) -> str:
        value: str = self.ssm.get_parameter(Name=name, **more)["Parameter"]["Value"]
        return value

    def arn(self, name: str) -> str:
        return f"arn:aws:ssm:us-east-1:{self.account}:parameter/{name.removeprefix('/')}"

    def described(self, *filters: dict[str, Any], **more: Any) -> list[str]:
        """Return the names of the parameters that filters admit."""
        pages = self.ssm.get_paginator("describe_parameters").paginate(ParameterFilters=list(filters), **more)
        return [each["Name"] for page in pages for each in page["Parameters"]]

    def below(self, path: str, **more: Any) -> list[str]:
        """Return the names of the parameters below a path."""
        pages = self.ssm.get_paginator("get_parameters_by_path").paginate(Path=path, **more)
        return [each["Name"] for page in pages for each in page["Parameters"]]

    def told(self, detail_type: str) -> str:
        """Have events of a type come to a queue; return its URL."""
        events = self.aws.client("events")
        url, arn = self.queue(detail_type.replace(" ", ""))
        pattern = f'{{"source": ["aws.ssm"], "detail-type": ["{detail_type}"]}}'
        events.put_rule(Name=detail_type.replace(" ", ""), EventPattern=pattern)
        events.put_targets(Rule=detail_type.replace(" ", ""), Targets=[{"Id": "q", "Arn": arn}])
        return url
