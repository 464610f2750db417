"""Deploys the shop: `python deploy.py [NAME=VALUE ...]`, where names are those of the stack's parameters.

Publishes the package of the functions and the image of the services, has CloudFormation make or change the stack
`shop`, and stocks the catalogue and the gallery. `--publish` does the first alone, and says what `cdk deploy` is to be
told; `--stock` does the last; `--clean-up` deletes all.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import time
import zipfile
from collections import Counter
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import cloudlet_here
import image
from certificate import Certificate
from shop import catalogue, gallery, names

HERE = Path(__file__).parent
_CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
_PAUSE_SECONDS = 0.2


class Shop:
    """What the shop is made of on AWS."""

    def __init__(self) -> None:
        self.cloudformation = boto3.client("cloudformation")
        self.s3 = gallery.client()
        self.certificate = Certificate(names.DOMAIN)

    @cached_property
    def account(self) -> str:
        return str(boto3.client("sts").get_caller_identity()["Account"])

    def publish(self) -> dict[str, str]:
        """Put what the stack is made of where AWS finds it; return what the stack is to be told of it."""
        cloudlet = cloudlet_here.find()
        repository = image.Repository(names.REPOSITORY)
        given = {"Code": self._upload("zip", pack_functions())}
        if cloudlet is None:
            return given | {"Image": image.push(repository)}
        # Customers of a Cloudlet come by its own address, the services by another.
        given |= {"Runtime": f"python3.{sys.version_info.minor}", "S3": self.s3.meta.endpoint_url}
        given["Certificate"] = self.certificate.request()
        if repository.read_manifest(image.BASE) is None:
            cloudlet.run("image", "base", "python", f"{names.REPOSITORY}:{image.BASE}")
        given["Image"] = image.push(repository)
        self.certificate.wait(given["Certificate"])
        return given

    def deploy(self, **parameters: str) -> dict[str, str]:
        """Make the stack, or change it, and stock the shop; return what the stack puts out."""
        print(f"\nThe shop is deployed to {os.environ.get('AWS_ENDPOINT_URL', 'AWS')}")
        given = self.publish()
        print(f"  code       {given['Code']}")
        print(f"  image      {names.REPOSITORY}:{given['Image']}")
        if "Certificate" in given:
            print(f"  domain     {names.DOMAIN}, with a certificate")
        self.begin_change(**given | parameters)
        outputs = self.finish()
        resources = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=names.STACK)
        kinds = Counter(each["ResourceType"] for page in resources for each in page["StackResourceSummaries"])
        print(f"  stack      {names.STACK}: {kinds.total()} resources")
        for service in sorted({kind.split("::")[1] for kind in kinds}):
            of_service = {kind.split("::")[2]: count for kind, count in kinds.items() if kind.split("::")[1] == service}
            print(f"             {service:<16} {', '.join(f'{count} {kind}' for kind, count in of_service.items())}")
        self.restock()
        return outputs

    def parameters(self) -> dict[str, str]:
        """Return what the stack was told, which is nothing where it is not there yet."""
        stack = self._describe() or {"Parameters": []}
        return {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}

    def begin_change(self, **parameters: str) -> None:
        """Begin to create or update the stack; parameters that are not given stay as they are."""
        known = self.parameters()
        template = self._upload("json", (HERE / "infrastructure" / "template.json").read_bytes())
        url = f"{self.s3.meta.endpoint_url}/{names.artifacts(self.account)}/{template}"
        settings = {
            "StackName": names.STACK,
            "TemplateURL": url,
            "Capabilities": _CAPABILITIES,
            "Parameters": [
                {"ParameterKey": name, "ParameterValue": value} for name, value in (known | parameters).items()
            ],
        }
        try:
            self.cloudformation.update_stack(**settings) if known else self.cloudformation.create_stack(**settings)
        except self.cloudformation.exceptions.ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise

    def is_changing(self) -> bool:
        stack = self._describe()
        return stack is not None and stack["StackStatus"].endswith("_IN_PROGRESS")

    def finish(self) -> dict[str, str]:
        """Wait for the stack to be as it should; return what it puts out. Gives up where it cannot be."""
        while self.is_changing():
            time.sleep(_PAUSE_SECONDS)
        stack = self._describe() or {}
        if stack and stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=names.STACK)
            reasons = [each for page in pages for each in page["StackEvents"] if "FAILED" in each["ResourceStatus"]]
            for each in reversed(reasons):
                print(f"  {each['LogicalResourceId']}: {each.get('ResourceStatusReason')}")
            raise SystemExit(f"The stack is {stack['StackStatus']}.")
        return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}

    def restock(self) -> None:
        catalogue.fill(catalogue.PRODUCTS)
        bucket = gallery.name()
        for product in catalogue.PRODUCTS:
            gallery.put(self.s3, bucket, gallery.key(gallery.PICTURES, product.item), gallery.draw(product.item))
        print(f"  stocked    {len(catalogue.PRODUCTS)} products, and pictures of them, each given to thumbnails")

    def clean_up(self) -> None:
        self._empty(names.pictures(self.account))
        self.cloudformation.delete_stack(StackName=names.STACK)
        self.finish()
        self.certificate.remove()
        bucket = names.artifacts(self.account)
        self._empty(bucket)
        with suppress(self.s3.exceptions.NoSuchBucket):
            self.s3.delete_bucket(Bucket=bucket)
        ecr = boto3.client("ecr")
        with suppress(ecr.exceptions.RepositoryNotFoundException):
            ecr.delete_repository(repositoryName=names.REPOSITORY, force=True)

    def _upload(self, ending: str, content: bytes) -> str:
        """Put a file into the bucket of artifacts, by a name that its content has; return that."""
        bucket, key = names.artifacts(self.account), f"{hashlib.sha256(content).hexdigest()[:16]}.{ending}"
        region = self.s3.meta.region_name
        # The first region is where buckets are that name none.
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with suppress(self.s3.exceptions.BucketAlreadyOwnedByYou):
            self.s3.create_bucket(Bucket=bucket, **where)
        self.s3.put_object(Bucket=bucket, Key=key, Body=content)
        return key

    def _empty(self, bucket: str) -> None:
        with suppress(self.s3.exceptions.NoSuchBucket):
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                if found := [{"Key": one["Key"]} for one in page.get("Contents", [])]:
                    self.s3.delete_objects(Bucket=bucket, Delete={"Objects": found})

    def _describe(self) -> dict[str, Any] | None:
        """Return the stack as it is; None where there is none."""
        try:
            [stack] = self.cloudformation.describe_stacks(StackName=names.STACK)["Stacks"]
        except self.cloudformation.exceptions.ClientError as error:
            if "does not exist" not in str(error):
                raise
            return None
        return dict(stack)


def pack_functions() -> bytes:
    """Return a ZIP file of the functions and of what they share with the services. boto3 is with Lambda already."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for folder in ("functions", "shop"):
            for path in sorted((HERE / folder).glob("*.py")):
                file.writestr(zipfile.ZipInfo(str(path.relative_to(HERE))), path.read_bytes())
    return packed.getvalue()


def main(arguments: list[str]) -> None:
    shop = Shop()
    match arguments:
        case ["--clean-up"]:
            shop.clean_up()
        case ["--stock"]:
            shop.restock()
        case ["--publish"]:
            print(*(f"--parameters {name}={value}" for name, value in shop.publish().items()))
        case _:
            shop.deploy(**dict(each.split("=", 1) for each in arguments))


if __name__ == "__main__":
    main(sys.argv[1:])
