"""The bucket of the products' pictures, and of the thumbnails that the function `thumbnails` makes of them.

Nobody may look into the bucket but the shop. It hands out URLs that are signed, and good for an hour.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from zlib import crc32

import boto3
from botocore.config import Config

from shop import names

PICTURES = "pictures/"
THUMBNAILS = "thumbnails/"

_SVG = "http://www.w3.org/2000/svg"
_HOUR_SECONDS = 3600
_COLOURS = 0xFFFFFF


def client() -> Any:
    # By itself boto3 still signs URLs by version 2, which buckets made since 2020 do not take.
    return boto3.client("s3", config=Config(signature_version="s3v4"))


def name() -> str:
    """Return the name of the bucket."""
    return names.pictures(boto3.client("sts").get_caller_identity()["Account"])


def put(s3: Any, bucket: str, key: str, svg: bytes) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=svg, ContentType="image/svg+xml")


def url(s3: Any, bucket: str, folder: str, item: str) -> str:
    """Return a URL under which anybody may see a picture, or its thumbnail, for an hour. This asks nobody."""
    where = {"Bucket": bucket, "Key": key(folder, item)}
    return str(s3.generate_presigned_url("get_object", Params=where, ExpiresIn=_HOUR_SECONDS))


def key(folder: str, item: str) -> str:
    return f"{folder}{item}.svg"


def draw(item: str) -> bytes:
    """Return a picture of an item, an SVG."""
    colour = f"#{crc32(item.encode()) & _COLOURS:06x}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480" viewBox="0 0 640 480">'
        f'<rect width="640" height="480" fill="{colour}"/>'
        f'<text x="320" y="260" font-size="96" text-anchor="middle">{item}</text>'
        "</svg>"
    ).encode()


def shrink(svg: bytes) -> bytes:
    """Return the same drawing at the size of a thumbnail: what is in it scales by itself."""
    ElementTree.register_namespace("", _SVG)
    drawing = ElementTree.fromstring(svg)
    drawing.attrib.update(width="64", height="48")
    return ElementTree.tostring(drawing)
