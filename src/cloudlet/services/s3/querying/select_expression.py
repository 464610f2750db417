"""S3 Select's SQL, read token by token and written as DuckDB's.

User guide, "SQL reference for Amazon S3 Select". Only what that reference has gets through: one SELECT from S3Object,
its operators and functions; names that are neither are columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cloudlet.core import AwsError
from cloudlet.services.s3.querying import select_times

_TOKEN = re.compile(
    r"""\s+
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign><>|!=|<=|>=|\|\||[-+*/%(),.=<>\[\]])""",
    re.VERBOSE,
)
_WORDS = frozenset(
    (
        "AND",
        "AS",
        "BETWEEN",
        "BOTH",
        "CASE",
        "ELSE",
        "END",
        "ESCAPE",
        "FALSE",
        "FOR",
        "FROM",
        "IN",
        "IS",
        "LEADING",
        "LIKE",
        "NOT",
        "NULL",
        "OR",
        "THEN",
        "TRAILING",
        "TRUE",
        "WHEN",
    )
)
_FUNCTIONS = {
    "AVG": "avg",
    "CAST": "cast",
    "CHARACTER_LENGTH": "length",
    "CHAR_LENGTH": "length",
    "COALESCE": "coalesce",
    "COUNT": "count",
    "DATE_ADD": "s3_date_add",
    "DATE_DIFF": "date_sub",
    "EXTRACT": "extract",
    "LOWER": "lower",
    "MAX": "max",
    "MIN": "min",
    "NULLIF": "nullif",
    "SUBSTRING": "substring",
    "SUM": "sum",
    "TO_TIMESTAMP": "s3_to_timestamp",
    "TRIM": "trim",
    "UPPER": "upper",
    "UTCNOW": "s3_utcnow",
}
_DATED = ("DATE_ADD", "DATE_DIFF")
"""Their first argument is the name of a part of a date."""
_PARTS = frozenset(("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "TIMEZONE_HOUR", "TIMEZONE_MINUTE"))
_TYPES = {
    "BOOL": "BOOLEAN",
    "BOOLEAN": "BOOLEAN",
    "DECIMAL": "DECIMAL(38, 15)",
    "FLOAT": "DOUBLE",
    "INT": "BIGINT",
    "INTEGER": "BIGINT",
    "NUMERIC": "DECIMAL(38, 15)",
    "STRING": "VARCHAR",
    "TIMESTAMP": "TIMESTAMP",
}
VALUE = "\x01value"
"""The column with what a row is, where that is not a set of columns: a name that no column has."""
_DIGITS = 18
_STEPS = 100
"""Of a path behind S3Object."""
_POSITION = re.compile(r"_([1-9]\d*)")
_LONGEST_BYTES = 256 * 1024


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words

    def is_sign(self, *signs: str) -> bool:
        return self.kind == "sign" and self.text in signs

    @property
    def name(self) -> str:
        return self.text[1:-1].replace('""', '"') if self.kind == "quoted" else self.text


Step = str | int | None
"""Of a path into a JSON document: a member's name, an element's number, or all elements (None)."""
Path = list[Step]


@dataclass
class Column:
    """One of what is selected: its expression in DuckDB's SQL, its name in the output, and what it is a path to."""

    sql: str
    name: str
    path: Path | None = None
    """None for an expression that is more than a path; [] for the row itself."""


@dataclass
class Query:
    """A query, as far as it can be read without knowing the data's columns."""

    columns: list[Column] | None
    """None: everything (`SELECT *`)."""
    path: Path = field(default_factory=list)
    where: str = ""
    limit: int | None = None
    references: list[Path] = field(default_factory=list)
    """What the expressions look at of a row."""


def unexpected(token: str) -> AwsError:
    return AwsError("ParseUnexpectedToken", f"Expected something else than {token} in the SQL expression.", status=400)


def _integer(text: str) -> int:
    """Return a number that counts something. Raises AwsError."""
    if not text.isdecimal() or len(text) > _DIGITS:
        raise unexpected(text[:_DIGITS])
    return int(text)


def quoted(name: str) -> str:
    """Return a name as an identifier of DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def parse(expression: str, header: list[str] | None) -> Query:
    """Return what an expression asks for. Raises AwsError for what is not S3 Select's SQL.

    `header` are the names of the columns where these have positions (_1, _2, …), as those of CSV have; else None.
    """
    if len(expression.encode()) > _LONGEST_BYTES:
        raise AwsError("ExpressionTooLong", "The SQL expression is too long: The maximum length is 256 KB.", status=400)
    return _Parser(_tokens(expression), header).query()


def _tokens(expression: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise AwsError(
                "LexerInvalidChar", f"The SQL expression has an invalid character: {expression[at]!r}.", status=400
            )
        if match.lastgroup is not None:
            tokens.append(_Token(match.lastgroup, match.group()))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[_Token], header: list[str] | None) -> None:
        self._tokens = tokens
        self._header = header
        self._aliases = {"s3object"}
        self._references: list[Path] = []

    def query(self) -> Query:
        tokens = self._tokens
        if not tokens or not tokens[0].is_word("SELECT"):
            raise AwsError("UnsupportedSqlOperation", "An unsupported SQL operation: only SELECT is there.", status=400)
        source = self._find(("FROM",), 1)
        if source is None:
            raise AwsError("ParseSelectMissingFrom", "Missing FROM after the SELECT list.", status=400)
        limit = self._find(("LIMIT",), source + 1)
        where = self._find(("WHERE",), source + 1)
        end = len(tokens)
        path = self._source(source + 1, min(each for each in (where, limit, end) if each is not None))
        return Query(
            self._columns(tokens[1:source]),
            path,
            "" if where is None else self._expression(tokens[where + 1 : limit if limit is not None else end]),
            None if limit is None else self._limit(tokens[limit + 1 :]),
            self._references,
        )

    def _find(self, words: tuple[str, ...], start: int) -> int | None:
        """Return where a word is that is in no parentheses."""
        depth = 0
        for at in range(start, len(self._tokens)):
            token = self._tokens[at]
            depth += token.is_sign("(") - token.is_sign(")")
            if depth == 0 and token.is_word(*words):
                return at
        return None

    def _source(self, at: int, end: int) -> Path:
        tokens = self._tokens[at:end]
        if not tokens or not tokens[0].is_word("S3OBJECT"):
            raise AwsError(
                "InvalidDataSource", "Invalid data source: the FROM clause has to name S3Object.", status=400
            )
        path: Path = []
        at = 1
        while at < len(tokens) and tokens[at].is_sign(".", "["):
            if len(path) == _STEPS:
                raise unexpected(tokens[at].text)
            if tokens[at].is_sign("."):
                path.append(self._at(tokens, at + 1, "word", "quoted").name)
                at += 2
                continue
            inner = self._at(tokens, at + 1, "number", "sign")
            if inner.kind == "sign" and inner.text != "*":
                raise unexpected(inner.text)
            path.append(None if inner.kind == "sign" else _integer(inner.text))
            if not self._at(tokens, at + 2, "sign").is_sign("]"):
                raise unexpected(tokens[at + 2].text)
            at += 3
        if at < len(tokens) and tokens[at].is_word("AS"):
            at += 1
        if at < len(tokens):
            self._aliases.add(self._at(tokens, at, "word", "quoted").name.lower())
            at += 1
        elif path:
            last = path[-1]
            self._aliases.add(last.lower() if isinstance(last, str) else "_1")
        if at < len(tokens):
            raise unexpected(tokens[at].text)
        return path

    @staticmethod
    def _at(tokens: list[_Token], at: int, *kinds: str) -> _Token:
        if at >= len(tokens):
            raise unexpected("the end")
        if tokens[at].kind not in kinds:
            raise unexpected(tokens[at].text)
        return tokens[at]

    def _limit(self, tokens: list[_Token]) -> int:
        if len(tokens) != 1:
            raise unexpected(tokens[-1].text if tokens else "the end")
        return _integer(tokens[0].text)

    def _columns(self, tokens: list[_Token]) -> list[Column] | None:
        if len(tokens) == 1 and tokens[0].is_sign("*"):
            return None
        if (
            len(tokens) == 3
            and tokens[0].name.lower() in self._aliases
            and tokens[1].is_sign(".")
            and tokens[2].is_sign("*")
        ):
            return None
        items = _split(tokens)
        if any(item and item[0].is_sign("*") for item in items):
            raise AwsError(
                "ParseAsteriskIsNotAloneInSelectList",
                "Other expressions are not allowed in the SELECT list when '*' is used without dot notation in the SQL "
                "expression.",
                status=400,
            )
        return [self._column(item, number) for number, item in enumerate(items, 1)]

    def _column(self, tokens: list[_Token], number: int) -> Column:
        if len(tokens) > 2 and tokens[-2].is_word("AS") and tokens[-1].kind in ("word", "quoted"):
            sql, path = self._written(tokens[:-2])
            return Column(sql, tokens[-1].name, path)
        last = tokens[-1] if tokens else None
        plain = all(token.kind in ("word", "quoted") or token.is_sign(".") for token in tokens)
        sql, path = self._written(tokens)
        if last is None or not plain or not last.name or last.is_word(*_WORDS):
            return Column(sql, f"_{number}", path)
        return Column(sql, last.name, path)

    # -- expressions

    def _expression(self, tokens: list[_Token]) -> str:
        return self._written(tokens)[0]

    def _written(self, tokens: list[_Token]) -> tuple[str, Path | None]:
        """Return an expression in SQL, and the path that it is if it is nothing else."""
        before = len(self._references)
        written: list[str] = []
        at = 0
        while at < len(tokens):
            at = self._element(tokens, at, written)
        if not written:
            raise unexpected("the end")
        whole = len(written) == 1 and len(self._references) == before + 1
        return " ".join(written), self._references[-1] if whole else None

    def _element(self, tokens: list[_Token], at: int, written: list[str]) -> int:
        """Write one element of an expression; return where the next one begins."""
        token = tokens[at]
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        if token.kind in ("text", "number") or (token.kind == "sign" and not token.is_sign(".", "[", "]")):
            written.append(token.text)
            return at + 1
        if token.is_word("MISSING"):
            # What is missing from a document is null in its row.
            written.append("NULL")
            return at + 1
        if token.kind == "word" and at and tokens[at - 1].is_word("AS") and token.text.upper() in _TYPES:
            sized = following is not None and following.is_sign("(")
            written.append("DECIMAL" if sized else _TYPES[token.text.upper()])
            return at + 1
        if token.is_word(*_WORDS):
            written.append(token.text.upper())
            return at + 1
        if token.kind == "word" and following is not None and following.is_sign("("):
            return self._call(tokens, at, written)
        if token.kind in ("word", "quoted"):
            return self._reference(tokens, at, written)
        raise unexpected(token.text)

    def _call(self, tokens: list[_Token], at: int, written: list[str]) -> int:
        name = tokens[at].text.upper()
        if name == "TO_STRING":
            return self._to_string(tokens, at, written)
        if name not in _FUNCTIONS:
            raise AwsError(
                "UnsupportedFunction", f"Encountered an unsupported SQL function: {tokens[at].text}.", status=400
            )
        written.append(f"{_FUNCTIONS[name]}(")
        part = tokens[at + 2] if at + 2 < len(tokens) else None
        if part is not None and (name in _DATED or name == "EXTRACT"):
            if part.text.upper() not in _PARTS:
                raise unexpected(part.text)
            written.append(f"'{part.text.lower()}'" if name in _DATED else part.text.lower())
            return at + 3
        return at + 2

    def _to_string(self, tokens: list[_Token], at: int, written: list[str]) -> int:
        depth, end = 0, at + 1
        while end < len(tokens):
            depth += tokens[end].is_sign("(") - tokens[end].is_sign(")")
            if not depth:
                break
            end += 1
        arguments = _split(tokens[at + 2 : end])
        if depth or len(arguments) != 2 or len(arguments[1]) != 1 or arguments[1][0].kind != "text":
            raise unexpected(tokens[at].text)
        pattern = arguments[1][0].text[1:-1].replace("''", "'")
        written.append(select_times.formatted(self._expression(arguments[0]), pattern))
        return end + 1

    def _reference(self, tokens: list[_Token], at: int, written: list[str]) -> int:
        """Write the path to a value: alias.column.member[3]."""
        name = tokens[at]
        at += 1
        is_step = at < len(tokens) and tokens[at].is_sign(".")
        # What is followed by a step is the table, also where a column of CSV has its name: no column has members.
        if name.name.lower() in self._aliases and (is_step or not self._is_column(name)):
            if not is_step:
                if self._header is not None:
                    raise unexpected(name.text)
                self._references.append([])
                written.append(quoted(VALUE))
                return at
            name = self._at(tokens, at + 1, "word", "quoted")
            at += 2
        first = self._of_header(name)
        path: Path = [first]
        sql = quoted(first)
        while at < len(tokens) and tokens[at].is_sign(".", "["):
            if self._header is not None:
                raise unexpected(tokens[at].text)
            if tokens[at].is_sign("."):
                member = self._at(tokens, at + 1, "word", "quoted").name
                path.append(member)
                sql += f".{quoted(member)}"
                at += 2
                continue
            index = _integer(self._at(tokens, at + 1, "number").text)
            if not self._at(tokens, at + 2, "sign").is_sign("]"):
                raise unexpected(tokens[at + 2].text)
            path.append(index)
            # DuckDB counts elements from 1, S3 Select from 0.
            sql += f"[{index + 1}]"
            at += 3
        self._references.append(path)
        written.append(sql)
        return at

    def _is_column(self, token: _Token) -> bool:
        return token.name.lower() in (name.lower() for name in self._header or ())

    def _of_header(self, token: _Token) -> str:
        """Return the name of the column that a name, or a position such as _3, stands for."""
        if self._header is None:
            return token.name
        if token.name in self._header:
            return token.name
        if token.kind == "word":
            found = [name for name in self._header if name.lower() == token.name.lower()]
            if found:
                return found[0]
            position = _POSITION.fullmatch(token.name)
            if position is not None:
                number = _integer(position[1])
                if number > len(self._header):
                    raise AwsError("InvalidColumnIndex", "Column index in the SQL expression is invalid.", status=400)
                return self._header[number - 1]
        message = "Some headers in the query are missing from the file. Check the file and try again."
        raise AwsError("MissingHeaders", message, status=400)


def _split(tokens: list[_Token]) -> list[list[_Token]]:
    """Return the items of a list: what is between the commas that are in no parentheses."""
    items: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += token.is_sign("(") - token.is_sign(")")
        if depth == 0 and token.is_sign(","):
            items.append([])
        else:
            items[-1].append(token)
    return items
