"""What a function is made of, as requests name it: a ZIP file, or a container image."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from cloudlet.core import Context, Params
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.code import images, packages
from cloudlet.services.lambda_.functions.function import Image, Package

IMAGE, ZIP = "Image", "Zip"
_OF_ZIP = ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion")


class Code(NamedTuple):
    """What a version runs from; `image` where that is no ZIP file."""

    package: Package
    image: Image | None = None


def check(source: Params, package_type: str, doing: str) -> None:
    """Raise AwsError unless a request names one source of a kind; `doing` is what it does with the function."""
    is_image = source.get("ImageUri") is not None
    if package_type == IMAGE:
        if not is_image:
            raise errors.invalid(f"Please provide ImageUri when {doing} a function with packageType Image.")
        for name in _OF_ZIP:
            if source.get(name) is not None:
                raise errors.invalid(f"Please do not provide {name} when {doing} a function with packageType Image.")
        return
    if is_image:
        raise errors.invalid(f"Please do not provide ImageUri when {doing} a function with packageType Zip.")
    packages.check_source(source)


@asynccontextmanager
async def taken(ctx: Context, operation: str, source: Params, architecture: str, function: str) -> AsyncIterator[Code]:
    """Return the code of a request, as `packages.taken` does for ZIP files; `function` is an ARN. Raises AwsError."""
    uri = source.get("ImageUri")
    if uri is not None:
        yield Code(*await images.find(ctx, uri, architecture, function))
        return
    async with packages.taken(ctx, operation, source) as package:
        yield Code(package)
