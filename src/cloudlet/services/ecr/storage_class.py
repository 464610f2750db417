"""The storage classes of images. User guide, "Archiving an image in Amazon ECR", "Restoring an image"."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import AwsError
from cloudlet.services.ecr.image_record import Image

ACTIVE, ARCHIVED, ACTIVATING = "ACTIVE", "ARCHIVED", "ACTIVATING"
_RESTORE_SECONDS: Final = 20 * 60
"""User guide: a restore takes up to 20 minutes."""
_NEXT: Final = {
    (ACTIVE, "ARCHIVE"): ARCHIVED,
    (ACTIVE, "STANDARD"): ACTIVE,
    (ARCHIVED, "ARCHIVE"): ARCHIVED,
    (ARCHIVED, "STANDARD"): ACTIVATING,
    (ACTIVATING, "STANDARD"): ACTIVATING,
}
"""Status of an image, storage class that is asked for → its status then."""


class UnsupportedUpdate(AwsError):
    """An image that cannot have the storage class that is asked for."""

    def __init__(self, reason: str) -> None:
        message = f"The requested image storage class update is not supported: {reason}"
        super().__init__("ImageStorageClassUpdateNotSupportedException", message)


def change(image: Image, target: str, now: float) -> Image:
    """Return an image that has, or is to have, a storage class. Raises UnsupportedUpdate."""
    status = _NEXT.get((image.status, target))
    if status is None:
        raise UnsupportedUpdate("the image is being restored")
    if status == image.status:
        return image
    if status == ARCHIVED:
        return replace(image, status=status, archived=now)
    return replace(image, status=status, restore_due=int((now + _RESTORE_SECONDS) * 1000))


def activate(image: Image, now: float) -> Image:
    """Return an image that was archived and can be pulled again."""
    return replace(image, status=ACTIVE, activated=now, restore_due=0)


def is_selected(image: Image, status: str | None) -> bool:
    """Whether a list's filter selects an image. Without one, active images are selected."""
    return status == "ANY" or image.status == (status or ACTIVE)
