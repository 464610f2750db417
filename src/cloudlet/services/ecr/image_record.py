"""Images, and layers, as they are stored."""

from __future__ import annotations

import msgspec

from cloudlet.services.ecr.scan_record import Scan


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """A manifest in a repository: of an image, an index, or another artifact.

    Times are in seconds since the epoch.
    """

    digest: str
    media_type: str
    artifact_type: str
    """The media type of the artifact, or of the configuration; empty for an index."""
    size: int
    """The bytes of its layers and configuration.

    An index has those of the largest of its images.
    """
    pushed: float
    manifest_size: int
    tags: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    """The digests of the layers and the configuration that the repository has to have."""
    children: tuple[str, ...] = ()
    """The digests of the images that an index names."""
    subject: str = ""
    """The digest of the manifest that this one is about."""
    pulled: float = 0.0
    annotations: dict[str, str] = {}
    is_scan_failed: bool = False
    """Whether an older Cloudlet, which could not scan, was to scan it."""
    replications: dict[str, str] = {}
    """Destinations (region/account) → the status of the replication."""
    tagged: dict[str, float] = {}
    """In public repositories: tags → the times at which the image got them."""
    status: str = "ACTIVE"
    """Whether it can be pulled, is archived, or is being restored."""
    archived: float = 0.0
    """The time at which it was archived last."""
    activated: float = 0.0
    """The time at which it was restored last."""
    restore_due: int = 0
    """The time at which its restore ends, in milliseconds."""
    scan: Scan | None = None


class Layer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A blob in a repository."""

    digest: str
    size: int
    users: int = 0
    """The images of the repository that have it."""
    idle_since: int = 0
    """The time since which no image has it, in seconds since the epoch."""
    media_type: str = ""
    """The media type that an image has for it; empty before."""


class Seal(msgspec.Struct, frozen=True, array_like=True):
    """The means to decrypt a file, but for the KMS key."""

    keys: tuple[bytes, ...]
    """Data keys, encrypted by KMS: one for each layer of encryption."""
    nonce: bytes


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A file that has a part of a blob."""

    file: str
    size: int
    seal: Seal | None = None
    """The seal of a file that is encrypted."""


class Content(msgspec.Struct, frozen=True, array_like=True):
    """The bytes of a blob: files, one after the other, whichever repositories have it."""

    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """The number of its bytes."""
        return sum(piece.size for piece in self.pieces)

    @property
    def is_sealed(self) -> bool:
        """Whether its files are encrypted."""
        return any(piece.seal is not None for piece in self.pieces)


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A part of an upload."""

    piece: Piece
    sha256: str


class Upload(msgspec.Struct, frozen=True, omit_defaults=True):
    """A blob that is being uploaded."""

    id: str
    repository: str
    """The id of the repository."""
    started: int
    """In seconds since the epoch."""
    parts: tuple[Part, ...] = ()

    @property
    def size(self) -> int:
        """The number of bytes that have come."""
        return sum(part.piece.size for part in self.parts)
