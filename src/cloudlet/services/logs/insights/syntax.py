"""What a query consists of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Span:
    """Where something is in the query: characters, the end exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """A field: the parts of its name; numbers are places in lists."""

    path: tuple[str | int, ...]
    span: Span

    @property
    def name(self) -> str:
        return ".".join(map(str, self.path))


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    span: Span


@dataclass(frozen=True, slots=True)
class Text:
    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time: so many of a unit ("m", "hr")."""

    count: int
    unit: str
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """A function of something; its name is in small letters. `count(*)` has no arguments."""

    name: str
    arguments: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Operation:
    """Arithmetic or a comparison."""

    operator: str
    left: Expression
    right: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Negative:
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` or `or` of several."""

    operator: str
    operands: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class In:
    """Whether something is one of several."""

    operand: Expression
    choices: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Within:
    """Whether a field is among those of its name that a query finds."""

    operand: Field
    query: Query
    span: Span


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, as the engine writes it, and where it is."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Like:
    """Whether a text contains another one, or has something that a regular expression matches."""

    operand: Expression
    pattern: Text | Pattern
    span: Span


Expression = Field | Number | Text | Period | Call | Operation | Negative | Logic | Not | In | Like | Within


@dataclass(frozen=True, slots=True)
class Named:
    """An expression under a name: that of `as`, or (none) the expression itself as it is written."""

    expression: Expression
    alias: str | None

    def name(self, text: str) -> str:
        """Return its name in a query's text."""
        if self.alias is not None:
            return self.alias
        written = text[self.expression.span.start : self.expression.span.end]
        return written.replace("`", "") if isinstance(self.expression, Field) else written


@dataclass(frozen=True, slots=True)
class Fields:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Display:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    condition: Expression


@dataclass(frozen=True, slots=True)
class FilterIndex:
    """Events whose indexed field has one of some values."""

    condition: In


@dataclass(frozen=True, slots=True)
class Parse:
    """Fields out of a text: by the groups of a regular expression."""

    source: Expression
    pattern: Pattern
    names: tuple[str, ...]
    """Of its groups, in their order."""
    is_multiple: bool = False
    """Whether there is a record for each match."""


@dataclass(frozen=True, slots=True)
class ParseGlob:
    """Fields out of a text: what is between texts that follow each other in it."""

    source: Expression
    texts: tuple[str, ...]
    """The texts around the wildcards: one more than there are wildcards; some may be empty."""
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParseLogfmt:
    """A structure out of a text of pairs such as `level=error`."""

    source: Expression
    name: str


@dataclass(frozen=True, slots=True)
class ParseCsv:
    """Fields out of a text of values between commas."""

    source: Expression
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JsonField:
    """What is somewhere in a structure, or in a text of JSON."""

    source: Field
    path: tuple[str | int, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Stats:
    columns: tuple[Named, ...]
    keys: tuple[Named, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class SortKey:
    expression: Expression
    descending: bool


@dataclass(frozen=True, slots=True)
class Sort:
    keys: tuple[SortKey, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    count: int
    any: bool = False
    """Whether it may be any records, so that no more is looked at once there are as many."""


@dataclass(frozen=True, slots=True)
class Dedup:
    keys: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Unnest:
    """A record for each element of a list, which has the element under a name."""

    source: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Accumulate:
    """The sum of a field of all records up to each."""

    source: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Autoregress:
    """A field of records before each: of how many before, and under which names."""

    source: Expression
    columns: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class FillDown:
    """Fields that have the value of the record before where they have none: their names, which may have asterisks."""

    names: tuple[str, ...]
    """All that are shown, where none are given."""


@dataclass(frozen=True, slots=True)
class FillMissing:
    """Records for the bins between others that have none, with values of some fields."""

    values: tuple[tuple[str, Expression], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class AddTotals:
    """Sums of numbers: of some fields, or of all that are shown, within each record and over all records."""

    fields: tuple[Field, ...]
    name: str | None
    """Of the field with the sum of each record; none for no such sums."""
    has_summary: bool
    """Whether a record with the sums over all others comes last."""


@dataclass(frozen=True, slots=True)
class CountFrequent:
    """How often there is each combination of values of some fields, the most frequent one first."""

    fields: tuple[Field, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Outlier:
    """Values of fields that are further from the middle half of all than a multiple of its width."""

    fields: tuple[Field, ...]
    factor: float
    looks_below: bool
    """Whether values may also be too small."""
    removes: bool
    """Whether records with such a value are left out; else the value becomes the last one that is none."""


@dataclass(frozen=True, slots=True)
class Sessionize:
    """An identifier of the session that a record is of: records of an identity with no longer gaps between them."""

    fields: tuple[Field, ...]
    gap: Period
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class AppendColumns:
    """The fields that another query finds, the first record's beside those of the first one, and so on."""

    query: Query
    most: int
    """How many records of the other query there are at most."""
    overrides: bool
    """Whether they take the place of fields of the same names."""
    span: Span


@dataclass(frozen=True, slots=True)
class Lookup:
    """Fields out of the row of a lookup table whose columns have what fields have."""

    table: str
    keys: tuple[tuple[str, Field], ...]
    """Columns, and the fields that are compared with them."""
    outputs: tuple[tuple[str, str], ...]
    """Columns, and the fields that they become."""
    overwrites: bool
    """Whether they take the place of fields that are not empty."""
    is_of_subnets: bool
    """Whether the only key has subnets, and fields have addresses."""
    span: Span


@dataclass(frozen=True, slots=True)
class Structures:
    """The structures that texts have in common, and how often."""

    source: Expression


@dataclass(frozen=True, slots=True)
class Source:
    """Log groups by the beginnings of their names; of all classes and accounts where none are given."""

    prefixes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    name: str = ""
    """Of a single log group."""


@dataclass(frozen=True, slots=True)
class Join:
    """Records (the left ones) together with the events of other log groups (the right ones) that have the same key."""

    keeps_all: bool
    """Whether left records stay that have no right one."""
    left: str
    right: str
    left_key: tuple[str | int, ...]
    right_key: tuple[str | int, ...]
    source: Source
    span: Span


class Before(Enum):
    """The time that another one is compared with, which is as long."""

    PERIOD = "previousperiod"
    """The one that ends where the other begins."""
    DAY = "previousday"
    WEEK = "previousweek"
    MONTH = "previousmonth"


@dataclass(frozen=True, slots=True)
class Diff:
    """The structures before, compared with those of an earlier time."""

    before: Before
    span: Span


Command = (
    Fields
    | Display
    | Filter
    | FilterIndex
    | Parse
    | ParseGlob
    | ParseLogfmt
    | ParseCsv
    | JsonField
    | Stats
    | Sort
    | Limit
    | Dedup
    | Unnest
    | Accumulate
    | Autoregress
    | FillDown
    | FillMissing
    | AddTotals
    | CountFrequent
    | Outlier
    | Sessionize
    | AppendColumns
    | Lookup
    | Structures
    | Join
    | Diff
)


@dataclass(frozen=True, slots=True)
class Query:
    commands: tuple[Command, ...]
    source: Source | None
    regexes: tuple[Pattern, ...] = ()
    """All of it, and of the queries within it."""
    text: str = ""
    """Of the whole; empty for a query within another one."""
