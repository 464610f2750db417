"""The errors of ECR in AWS's words."""

from __future__ import annotations

from collections.abc import Iterable

from cloudlet.core import AwsError
from cloudlet.wire import InvalidRequest


def reword(invalid: InvalidRequest) -> AwsError:
    """Return the error for a request that the model does not admit."""
    if not invalid.violations:
        return AwsError(invalid.code, invalid.message, status=invalid.status)
    first = invalid.violations[0]
    constraint = first.text.partition("failed to satisfy constraint: ")[2] or first.text
    return InvalidParameter(f"Invalid parameter at '{first.path}' failed to satisfy constraint: '{constraint}'")


class InvalidParameter(AwsError):
    """A parameter that makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterException", message)


class ValidationError(AwsError):
    """A request that the registry's configuration does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class NotBuilt(ValidationError):
    """A part of ECR that Cloudlet does not have."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Cloudlet does not have {what}. See docs/services/ecr.md.")


class RepositoryNotFound(AwsError):
    """A name that no repository has."""

    def __init__(self, name: str, registry: str) -> None:
        message = f"The repository with name '{name}' does not exist in the registry with id '{registry}'"
        super().__init__("RepositoryNotFoundException", message)


class RepositoryAlreadyExists(AwsError):
    """A name that is taken."""

    def __init__(self, name: str, registry: str) -> None:
        message = f"The repository with name '{name}' already exists in the registry with id '{registry}'"
        super().__init__("RepositoryAlreadyExistsException", message)


class RepositoryNotEmpty(AwsError):
    """A repository that has images, and was not to be deleted with them."""

    def __init__(self, name: str, registry: str) -> None:
        super().__init__(
            "RepositoryNotEmptyException",
            f"The repository with name '{name}' in registry with id '{registry}' cannot be deleted because it still "
            "contains images",
        )


class PolicyNotFound(AwsError):
    """A repository without the policy that a request is about."""

    def __init__(self, kind: str, name: str, registry: str) -> None:
        super().__init__(
            f"{kind.title()}PolicyNotFoundException",
            f"{kind.capitalize()} policy does not exist for the repository with name '{name}' in the registry with id "
            f"'{registry}'",
        )


class RegistryPolicyNotFound(AwsError):
    """A registry without a policy."""

    def __init__(self, registry: str) -> None:
        message = f"Registry policy does not exist in the registry with id '{registry}'"
        super().__init__("RegistryPolicyNotFoundException", message)


def describe_image(digest: str | None, tag: str | None) -> str:
    """Return the name of an image as AWS's messages have it."""
    return f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"


class ImageNotFound(AwsError):
    """An image that a repository does not have."""

    def __init__(self, digest: str | None, tag: str | None, name: str, registry: str) -> None:
        super().__init__(
            "ImageNotFoundException",
            f"The image with imageId {describe_image(digest, tag)} does not exist within the repository with name "
            f"'{name}' in the registry with id '{registry}'",
        )


class ImageAlreadyExists(AwsError):
    """A push that changes nothing."""

    def __init__(self, digest: str, tag: str | None, name: str, registry: str) -> None:
        what = f"digest '{digest}' and tag '{tag}'" if tag else f"digest '{digest}'"
        super().__init__(
            "ImageAlreadyExistsException",
            f"Image with {what} already exists in the repository with name '{name}' in registry with id '{registry}'",
        )


class ImageTagAlreadyExists(AwsError):
    """A tag that another image has, in a repository whose tags do not move."""

    def __init__(self, tag: str, name: str) -> None:
        super().__init__(
            "ImageTagAlreadyExistsException",
            f"The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the "
            "tag is immutable.",
        )


class ImageDigestDoesNotMatch(AwsError):
    """A manifest whose digest is another one than was said."""

    def __init__(self, given: str, computed: str) -> None:
        message = f"The image digest '{given}' does not match the digest '{computed}' of the manifest"
        super().__init__("ImageDigestDoesNotMatchException", message)


class LayersNotFound(AwsError):
    """Layers that a repository does not have."""

    def __init__(self, digests: Iterable[str], name: str, registry: str) -> None:
        super().__init__(
            "LayersNotFoundException",
            f"Layers with digests '[{', '.join(digests)}]' required for pushing image into repository with name "
            f"'{name}' in the registry with id '{registry}' do not exist",
        )


class ReferencedImagesNotFound(AwsError):
    """An index that names images which a repository does not have."""

    def __init__(self, digests: Iterable[str], name: str, registry: str) -> None:
        super().__init__(
            "ReferencedImagesNotFoundException",
            f"The images with digests '[{', '.join(digests)}]' required for pushing image into repository with name "
            f"'{name}' in the registry with id '{registry}' do not exist",
        )


class UploadNotFound(AwsError):
    """An upload that was never begun, or has ended."""

    def __init__(self, upload: str, name: str, registry: str) -> None:
        super().__init__(
            "UploadNotFoundException",
            f"The upload with id '{upload}' for the repository with name '{name}' in the registry with id "
            f"'{registry}' does not exist",
        )


class InvalidLayer(AwsError):
    """Bytes that are not those of the digest that was said."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidLayerException", message)


class InvalidLayerPart(AwsError):
    """A part that does not follow the one before it."""

    def __init__(self, name: str, registry: str, upload: str, received: int) -> None:
        super().__init__(
            "InvalidLayerPartException",
            f"The layer part does not begin behind the last byte that was received, {received - 1}",
            registryId=registry,
            repositoryName=name,
            uploadId=upload,
            lastValidByteReceived=received - 1,
        )


class IncompletePart(AwsError):
    """A part whose sender has gone before its end."""

    def __init__(self) -> None:
        super().__init__("IncompleteBody", "The layer part has ended before its last byte", status=400)


class LayerAlreadyExists(AwsError):
    """A layer that a repository has already."""

    def __init__(self, digest: str, name: str, registry: str) -> None:
        super().__init__(
            "LayerAlreadyExistsException",
            f"The layer with digest '{digest}' already exists in the repository with name '{name}' in the registry "
            f"with id '{registry}'",
        )


class EmptyUpload(AwsError):
    """An upload without any part."""

    def __init__(self, upload: str) -> None:
        super().__init__("EmptyUploadException", f"The upload with id '{upload}' has no layer parts")


class LimitExceededError(AwsError):
    """A quota that would be exceeded."""

    def __init__(self, message: str) -> None:
        super().__init__("LimitExceededException", message)


class UnsupportedImageType(AwsError):
    """An image that cannot be scanned."""

    def __init__(self, media_type: str) -> None:
        message = f"Scanning is not supported for an image of the type '{media_type}'"
        super().__init__("UnsupportedImageTypeException", message)


class KmsError(AwsError):
    """A key that KMS does not let be used."""

    def __init__(self, message: str) -> None:
        super().__init__("KmsException", message, kmsError=message)


class InvalidTag(AwsError):
    """A tag that no resource can have."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidTagParameterException", message)


class TooManyTags(AwsError):
    """More tags than a repository can have."""

    def __init__(self, message: str) -> None:
        super().__init__("TooManyTagsException", message)


class InvalidNextToken(InvalidParameter):
    """A token that no list has given."""

    def __init__(self) -> None:
        super().__init__("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")


class LayerPartTooSmall(AwsError):
    """A part, not the last one, with fewer bytes than parts have."""

    def __init__(self, size: int, least: int) -> None:
        super().__init__(
            "LayerPartTooSmallException", f"A layer part has {size} bytes. All but the last have {least} bytes at least"
        )
