"""How a building block declares its operations and jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Container, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from cloudlet.wire import WireError
from cloudlet.wire.internal_operations import is_internal

if TYPE_CHECKING:
    from socket import socket

    from cloudlet.core.kernel.block import Block
    from cloudlet.core.kernel.context import Context
    from cloudlet.core.kernel.web import Web
    from cloudlet.store import Transaction
    from cloudlet.wire import HttpRequest, HttpResponse, InvalidRequest, Operation

Params = dict[str, Any]
Result = Mapping[str, Any] | None


class FinalTransaction:
    """What a direct operation returns whose answer is that of a transaction, the last thing it does.

    To wait for that itself (`ctx.transact`) would take a task, which costs as much as the transaction.
    """

    __slots__ = ("body",)

    def __init__(self, body: Callable[[Transaction], Coroutine[Any, Any, Result]]) -> None:
        self.body = body
        """It does not raise `Wait`."""


Transactional = Callable[["Context", "Transaction", Params], Coroutine[Any, Any, Result]]
Direct = Callable[["Context", Params], Coroutine[Any, Any, "Result | FinalTransaction"]]
ResourceTags = Callable[["Context", "Transaction", str], Coroutine[Any, Any, Mapping[str, str]]]
"""A reader of the tags of the resource that an ARN names. It finds none where there is no resource."""
Job = Callable[["Block"], Awaitable[None]]
Observer = Callable[["Context", str, Params, Result, "WireError | None"], None]
"""Is told of a call: its context, the operation, its parameters, and what was answered."""
Listener = Callable[["Block", "socket"], Awaitable[None]]
"""Takes what comes to a socket for datagrams, as long as the block runs."""
Page = Callable[["Block"], Awaitable[tuple[str, bytes]]]
"""Returns a content type and the content."""
Folder = Callable[["Block", "HttpRequest", str], Awaitable["HttpResponse"]]
"""Answers a GET, given the path below the folder, still percent-encoded."""


_READING: Final = ("BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Scan", "Search", "Select", "Test")


@dataclass(frozen=True, slots=True)
class Handler:
    """The code behind one operation."""

    model: str
    """The name of AWS's model that has it."""
    name: str
    function: Callable[..., Coroutine[Any, Any, Any]]
    transactional: bool
    is_data_event: bool = False
    """Whether CloudTrail has it among data events: it is about what a resource holds, not about the resource."""
    is_internal: bool = False
    """Whether only Cloudlet's blocks may call it: AWS has no such operation."""
    is_declared_read_only: bool = False
    """Whether the service declares that it changes nothing."""

    @property
    def is_read_only(self) -> bool:
        """Whether it changes nothing, by its name or by what the service declares."""
        return self.is_declared_read_only or self.name.startswith(_READING)

    @property
    def is_noted(self) -> bool:
        """Whether CloudTrail's record of a call is written in the transaction of the call itself."""
        return self.transactional and not (self.is_data_event or self.is_read_only or self.is_internal)


class _All:
    """All operations of a service."""

    def __contains__(self, operation: object) -> bool:
        return True


class Service:
    """A building block: its name as botocore names it, and the code behind its operations.

    >>> service = Service("sqs")
    >>> @service.operation("ListQueues")
    ... async def list_queues(ctx, tx, params): ...
    """

    def __init__(
        self,
        name: str,
        *,
        invalid_request: Callable[[InvalidRequest], WireError] | None = None,
        check_request: Callable[[Operation, HttpRequest], None] | None = None,
        admits_anonymous: bool | Collection[str] = False,
        compressed_from: int | None = None,
        namespace: str = "",
        data_events: Iterable[str] = (),
        read_only: Iterable[str] = (),
        hidden: Iterable[str] = (),
        recorded_as: Mapping[str, str] | None = None,
        has_files: bool = False,
        internal_failure: str = "InternalFailure",
        from_pages: Iterable[str] = (),
        decides: Iterable[str] | Literal["all"] = (),
        access_denied: Callable[[str], WireError] | None = None,
        resource_tags: ResourceTags | None = None,
        instead: Mapping[str, str] | None = None,
        reserved_tag: str = "ValidationException",
    ) -> None:
        self.name = name
        self.has_files = has_files
        """Whether it has large values, which are files of the data folder wherever its rows are."""
        self.internal_failure = internal_failure
        """The code of the error that is our own fault."""
        self._admits_anonymous = admits_anonymous
        self.invalid_request = invalid_request
        """Words a request that the model does not admit, where this service does not say it as most of AWS does."""
        self.check_request = check_request
        """Is given each request as it came, before it is parsed. Raises WireError."""
        self.compressed_from = compressed_from
        """From how many bytes on its answers are compressed for clients that ask for it; None: never."""
        self.namespace = namespace
        """Under which it reports its own metrics to CloudWatch ("AWS/SQS"); empty where it measures nothing."""
        self.data_events = frozenset(data_events)
        """The operations that CloudTrail has among data events."""
        self.read_only = frozenset(read_only)
        """The operations that change nothing, though their names do not say it (Decrypt)."""
        self.hidden = frozenset(hidden)
        """The members of requests and answers whose values CloudTrail does not show, of all shapes or of one
        ("Shape.member"), and such keys of maps."""
        self.recorded_as = recorded_as or {}
        """Operations that CloudTrail has under another name."""
        self.from_pages = frozenset(from_pages)
        """The operations that links and pages of other sites may ask for unsigned: they check it by themselves."""
        self.decides: Container[str] = _All() if decides == "all" else frozenset(decides)
        """The operations that look at policies by themselves (`core.authorization`), as resources have some, too."""
        self.access_denied = access_denied
        """The maker of the error of a call that policies do not allow."""
        self.resource_tags = resource_tags
        """The reader of tags, for policies with conditions on them. It is asked only for callers who have such."""
        self.instead = instead or {}
        """The advice on what to do instead, for operations that are not built."""
        self.reserved_tag = reserved_tag
        """The code of the error of a tag that only CloudFormation sets."""
        self.gauges: list[Job] = []
        self.handlers: dict[str, Handler] = {}
        """By the names that `cloudlet.core.kernel.models.key_of` gives."""
        self.jobs: list[Job] = []
        self.listener: Listener | None = None
        self.pages: dict[str, Page] = {}
        self.folders: dict[str, Folder] = {}
        self.observer: Observer | None = None
        self.web: Web | None = None
        """Answers what users of applications ask, where this block stands in front of them."""

    def admits_anonymous(self, operation: str) -> bool:
        """Whether a policy of a resource may let in a caller who has not signed; else strict mode refuses him."""
        admits = self._admits_anonymous
        return admits if isinstance(admits, bool) else operation in admits

    def operation(self, name: str) -> Callable[[Transactional], Transactional]:
        """Declare the function of one operation: it runs in a transaction, and again where that conflicts.

        One of another of AWS's models that the block answers for is named with it ("dynamodbstreams:GetRecords").

        It may raise `Wait` to be run again once something has changed.
        """

        def declare(function: Transactional) -> Transactional:
            self._add(name, function, transactional=True)
            return function

        return declare

    def direct(self, name: str) -> Callable[[Direct], Direct]:
        """Declare an operation that needs no transaction, or several (`ctx.transact`)."""

        def declare(function: Direct) -> Direct:
            self._add(name, function, transactional=False)
            return function

        return declare

    def job(self, function: Job) -> Job:
        """Declare a background job: runs while the block does; started again, with a pause, whenever it fails."""
        self.jobs.append(function)
        return function

    def gauge(self, function: Job) -> Job:
        """Declare what is called each minute, before the block's metrics are sent: it adds what has to be read."""
        self.gauges.append(function)
        return function

    def listen(self, function: Listener) -> Listener:
        """Declare who takes the block's datagrams, where Cloudlet is started with a socket for them.

        It closes copies of the socket only: it is called again with the same one.
        """
        self.listener = function
        return function

    def page(self, name: str) -> Callable[[Page], Page]:
        """Declare what everybody may read with GET at /_cloudlet/<service>/<name>: a certificate, a log."""

        def declare(function: Page) -> Page:
            self.pages[name] = function
            return function

        return declare

    def data_plane(self, function: Web) -> Web:
        """Declare what answers the requests to applications that this block stands in front of."""
        self.web = function
        return function

    def folder(self, name: str) -> Callable[[Folder], Folder]:
        """Declare what answers GET at /_cloudlet/<service>/<name>/ and below. Nobody has to sign there."""

        def declare(function: Folder) -> Folder:
            self.folders[name] = function
            return function

        return declare

    def observe(self, function: Observer) -> Observer:
        """Declare who is told of each call of an operation that is there, when it is answered. He may not fail."""
        self.observer = function
        return function

    def _add(self, key: str, function: Transactional | Direct, *, transactional: bool) -> None:
        if key in self.handlers:
            raise ValueError(f"{self.name}:{key} is declared twice")
        model, _, name = key.rpartition(":")
        is_data_event, internal = name in self.data_events, is_internal(model or self.name, name)
        self.handlers[key] = Handler(
            model or self.name, name, function, transactional, is_data_event, internal, name in self.read_only
        )
