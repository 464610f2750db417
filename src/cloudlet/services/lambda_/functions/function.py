"""Functions and their versions: what is kept of them."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from cloudlet.core import Arn
from cloudlet.core.aws.arn import partition_of

LATEST = "$LATEST"
UPDATING = "InProgress"
"""The status of an update that goes on."""
UPDATED = "Successful"
"""The status where the last one has succeeded, or there was none yet."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Which function."""

    account: str
    region: str
    name: str

    @property
    def session(self) -> str:
        """The name of the session of its role, which has two letters at least."""
        return self.name if len(self.name) > 1 else f"{self.name}@lambda_function"

    @property
    def arn(self) -> str:
        """The ARN of the function, with no qualifier."""
        return str(Arn(partition_of(self.region), "lambda", self.region, self.account, f"function:{self.name}"))

    def qualified(self, qualifier: str | None) -> str:
        """Return the ARN of a version or an alias of the function, of the function itself for None."""
        return self.arn if qualifier is None else f"{self.arn}:{qualifier}"


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """What all versions of a function have in common."""

    place: Place
    reserved_concurrency: int | None = None
    """How many may run at once; None: as many as the account allows."""
    recursion: str = "Terminate"
    """What becomes of an invocation that the function has caused itself, over and over: Allow or Terminate."""
    code_signing: str = ""
    """The ARN of its code signing configuration."""


class Package(msgspec.Struct, frozen=True):
    """A ZIP file that is kept, or an image that is unpacked. Sizes are in bytes; those of images are 0."""

    code: str
    """The name of its blob, or of an image's folder."""
    sha256: str
    """Its digest in base64, that of an image's manifest in hexadecimal digits."""
    size: int
    unzipped: int
    """How large its files are together."""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A container image that a version runs from, in place of a package, and what the image says of that."""

    uri: str
    """By which it was named."""
    resolved: str
    """Names it for good."""
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = ""
    environment: dict[str, str] = {}
    allows_snapshots: bool = False
    """Whether it says that it may go on from a snapshot without being told."""


class ImageConfig(msgspec.Struct, frozen=True):
    """What is said of a function in place of what its image says."""

    entry_point: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    working_directory: str = ""


class LayerVersion(msgspec.Struct, frozen=True):
    """A layer's version that a function uses. It stays usable where the layer is deleted."""

    arn: str
    package: Package


class Logging(msgspec.Struct, frozen=True):
    """What is logged, and where: `group` is empty for the function's own group."""

    format: str = "Text"
    application_level: str = ""
    system_level: str = ""
    group: str = ""


class Vpc(msgspec.Struct, frozen=True):
    """The VPC of a function, with subnets and security groups.

    All of it is empty for one that is in none any more.
    """

    id: str = ""
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class DurableConfig(msgspec.Struct, frozen=True):
    """The configuration of a durable function."""

    execution_timeout: int
    """In seconds."""
    retention_days: int = 14
    """For how long executions that have ended are kept."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a function, `$LATEST` or a published one. Times are in seconds since the epoch."""

    place: Place
    number: int = 0
    """0 for `$LATEST`, which is the only one that changes."""
    package: Package
    package_type: str = "Zip"
    image: Image | None = None
    image_config: ImageConfig = ImageConfig()
    runtime: str = ""
    handler: str = ""
    role: str = ""
    description: str = ""
    memory: int = 128
    """MB, as all sizes that have no other unit."""
    timeout: int = 3
    """Seconds."""
    environment: dict[str, str] | bytes = {}
    """The variables, or their ciphertext by KMS: see `environments`."""
    ephemeral: int = 512
    """Of /tmp."""
    layers: tuple[LayerVersion, ...] = ()
    architecture: str = "x86_64"
    logging: Logging = Logging()
    tracing: str = "PassThrough"
    snap_start: str = "None"
    """Whether its published versions start from what is initialised already: PublishedVersions or None."""
    dead_letter: str = ""
    """The ARN of the queue or topic that gets the events of asynchronous invocations that fail."""
    state: str = "Pending"
    state_reason: str = ""
    state_reason_code: str = ""
    last_update: str = ""
    """Successful, Failed or InProgress; empty for a function that was never updated and is not Active yet."""
    last_update_reason: str = ""
    last_update_reason_code: str = ""
    revision: str = ""
    """Names its code and configuration, for what runs of it: see `revision_id`."""
    modified: float = 0.0
    has_environment: bool = False
    """Whether somebody has said which variables it has, if only that there are none."""
    settled_revision: str = ""
    """Another one since it has become what it was to be; empty until then."""
    kms_key: str = ""
    """The ARN of the KMS key that encrypts its variables; empty where none does."""
    grant: str = ""
    """The id of the grant by which its role decrypts them."""
    vpc: Vpc | None = None
    """The VPC that it reaches, None where nobody has ever said which."""
    durable: DurableConfig | None = None
    """Set where its executions are durable."""

    @property
    def variables(self) -> dict[str, str]:
        """The variables, where these are not encrypted."""
        return self.environment if isinstance(self.environment, dict) else {}

    @property
    def revision_id(self) -> str:
        """By which callers know its present form, which changes with its state, too."""
        return self.settled_revision or self.revision

    @property
    def version(self) -> str:
        """What the API calls it."""
        return str(self.number) if self.number else LATEST

    @property
    def arn(self) -> str:
        """The qualified ARN."""
        return self.place.qualified(self.version)

    @property
    def runtime_version_arn(self) -> str:
        """The ARN of the only version that there is of its runtime; empty for images."""
        if not self.runtime:
            return ""
        region, digest = self.place.region, sha256(self.runtime.encode()).hexdigest()
        return str(Arn(partition_of(region), "lambda", region, "", f"runtime:{digest}"))

    @property
    def starts_from_snapshot(self) -> bool:
        """Whether it is initialised when it is published, and starts from there."""
        return self.number > 0 and self.snap_start == "PublishedVersions"

    @property
    def log_group(self) -> str:
        """The name of the group that it logs to."""
        return self.logging.group or f"/aws/lambda/{self.place.name}"

    @property
    def codes(self) -> frozenset[str]:
        """The blobs that it runs from."""
        return frozenset((self.package.code, *(layer.package.code for layer in self.layers)))


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A name for a version, or for two of them."""

    place: Place
    name: str
    version: str
    description: str = ""
    weights: dict[str, float] = {}
    """Which other version gets which part of the invocations."""
    revision: str = ""

    @property
    def arn(self) -> str:
        return self.place.qualified(self.name)
