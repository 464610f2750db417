"""thumbnails: makes a thumbnail of each picture that is put into the bucket, which calls it. Twice makes the same."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

from shop import gallery

s3 = gallery.client()


def handler(event: dict[str, Any], context: Any) -> None:
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        picture = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        thumbnail = key.replace(gallery.PICTURES, gallery.THUMBNAILS, 1)
        gallery.put(s3, bucket, thumbnail, gallery.shrink(picture))
        print(f"made {thumbnail}")
