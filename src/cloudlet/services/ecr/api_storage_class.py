"""The operation on storage classes of images."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.ecr import images, restoring, storage_class
from cloudlet.services.ecr.access import open_repository
from cloudlet.services.ecr.api_repositories import show_name
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.storage_class import ARCHIVED, UnsupportedUpdate


@service.operation("UpdateImageStorageClass")
async def update_image_storage_class(ctx: Context, tx: Transaction, params: Params) -> Result:
    repository = await open_repository(ctx, tx, params, "UpdateImageStorageClass")
    id = params["imageId"]
    image = await images.get_named(tx, repository, id.get("imageDigest"), id.get("imageTag"))
    changed = storage_class.change(image, params["targetStorageClass"], ctx.now())
    if changed != image:
        if changed.status == ARCHIVED and (parents := await images.list_active_parents(tx, repository, image.digest)):
            raise UnsupportedUpdate(f"the image is referenced by manifest list: [{', '.join(parents)}]")
        images.save(tx, repository, changed)
        if changed.restore_due:
            restoring.schedule(tx, repository, changed)
    named = {"imageDigest": image.digest, "imageTag": id.get("imageTag")}
    return {**show_name(repository), "imageId": named, "imageStatus": changed.status}
