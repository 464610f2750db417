"""pictures: makes a thumbnail of each picture that is put into the bucket, as the bucket tells it through a queue."""

from __future__ import annotations

import json
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from shop import gallery
from shop.worker import serve

SVG = "http://www.w3.org/2000/svg"
WIDTH, HEIGHT = "64", "48"


def make_thumbnails(notification: str) -> None:
    # A queue that S3 is to tell gets a test message first, without any records.
    for record in json.loads(notification).get("Records", []):
        key = unquote_plus(record["s3"]["object"]["key"])
        picture = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        gallery.put(s3, bucket, key.replace(gallery.PICTURES, gallery.THUMBNAILS, 1), shrink(picture))
        print(f"made a thumbnail of {key}")


def shrink(svg: bytes) -> bytes:
    """Return the same drawing at the size of a thumbnail: what is in it scales by itself."""
    ElementTree.register_namespace("", SVG)
    drawing = ElementTree.fromstring(svg)
    drawing.attrib.update(width=WIDTH, height=HEIGHT)
    return ElementTree.tostring(drawing)


if __name__ == "__main__":
    s3, bucket = gallery.client(), gallery.name()
    serve("pictures", make_thumbnails)
