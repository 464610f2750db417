"""The parameters of the shop's stack."""

from __future__ import annotations

from aws_cdk import CfnParameter, Stack
from shop import names


class Parameters:
    def __init__(self, stack: Stack) -> None:
        def declare(name: str, description: str, default: str | None = None, kind: str = "String") -> CfnParameter:
            return CfnParameter(stack, name, description=description, default=default, type=kind)

        self.code = declare("Code", "The key of the functions' package in the bucket shop-artifacts-ACCOUNT")
        self.image = declare("Image", "The tag of the services' image in the repository shop")
        self.runtime = declare("Runtime", "The runtime of the functions", "python3.13")
        self.tasks = declare("Tasks", "How many tasks each service has", "1", "Number")
        self.currencies = declare(
            "Currencies", "What payments can charge, and how many digits each has behind the point", "EUR:2 USD:2"
        )
        self.certificate = declare("Certificate", "The ARN of the certificate of the customers' domain")
        self.domain = declare("Domain", "The domain at which customers come", names.DOMAIN)
        self.unsteady = declare("Unsteady", "Every how many reports `orders` fails one, for the mesh to try again", "0")
        self.version = declare("Version", "The version of the front, which its answers name", "1")
        self.issuer = declare(
            "Issuer",
            "The URL of the identity provider whose tokens the public API trusts; without one there is no API",
            "",
        )
        self.s3 = declare("S3", "The URL at which customers find S3, where that is not AWS's own", "")
