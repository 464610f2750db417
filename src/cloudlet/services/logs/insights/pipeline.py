"""The commands of a query, one after the other, as SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cloudlet.services.logs.insights import extracting, functions, outliers, sessions, structures, totals
from cloudlet.services.logs.insights.expressions import Compiler
from cloudlet.services.logs.insights.problems import NotBuilt, QueryProblem
from cloudlet.services.logs.insights.scope import POSITION, Scope
from cloudlet.services.logs.insights.sql import NULL, SO_FAR, Kind, Sql, json_path, literal
from cloudlet.services.logs.insights.syntax import (
    Accumulate,
    AddTotals,
    AppendColumns,
    Autoregress,
    Call,
    Command,
    CountFrequent,
    Dedup,
    Diff,
    Display,
    Expression,
    Field,
    Fields,
    FillDown,
    FillMissing,
    Filter,
    FilterIndex,
    In,
    Join,
    JsonField,
    Limit,
    Lookup,
    Named,
    Outlier,
    Parse,
    ParseCsv,
    ParseGlob,
    ParseLogfmt,
    Period,
    Sessionize,
    Sort,
    SortKey,
    Stats,
    Structures,
    Unnest,
)
from cloudlet.services.logs.insights.times import Asked

if TYPE_CHECKING:
    from cloudlet.services.logs.insights.inputs import Inputs

_NEWEST_FIRST = ", ".join(f"{column} DESC" for column in POSITION)
_DEFAULT = ("@timestamp", "@message")
_Path = tuple[str | int, ...]
_FREQUENCY = "_approxcount"


@dataclass(frozen=True, slots=True)
class _Binned:
    """Statistics by bins of time."""

    bin: str
    """The column that has the bins."""
    period: Period
    values: dict[str, Sql]
    """The columns of the statistics, by their names."""
    is_only_key: bool


class Pipeline:
    """What commands make of a relation."""

    def __init__(self, relation: str, scope: Scope, text: str, asked: Asked, inputs: Inputs | None) -> None:
        """The commands are of a query's text. What they look at besides comes from inputs, if they may do that."""
        self.relation = relation
        """SQL that selects the records as they are by now."""
        self.scope = scope
        self._events = scope
        self.order = _NEWEST_FIRST
        self._text = text
        self._asked = asked
        self._inputs = inputs
        self._ties = [_NEWEST_FIRST]
        """By what records are ordered that are alike for the command sort."""
        self.columns: list[str] = []
        """Those that commands have made."""
        self._listed: dict[str, _Path] = {}
        """The fields that are shown, by their names."""
        self._has_list = False
        """Whether a command has named fields to show; else time and message come first."""
        self._displayed: dict[str, _Path] | None = None
        self._structured: tuple[str, str] | None = None
        """What the command before has found the structures of, and the column that has them."""
        self._found: Sql | None = None
        """The column with structures that were found before the command that is about them."""
        self._binned: _Binned | None = None
        """What the command before has made, if it was stats with bin()."""

    def add(self, command: Command) -> None:
        """Have a command done. Raises QueryProblem, and NotBuilt."""
        if not isinstance(command, Diff):
            self._structured = None
        if not isinstance(command, FillMissing):
            self._binned = None
        match command:
            case Fields(columns):
                self._listed |= self._named(columns)
                self._has_list = True
            case Display(columns):
                self._displayed = self._named(columns)
            case Filter(condition):
                found = None if self._inputs is None else self._inputs.found
                truth = Compiler(self.scope, self._text, self._asked, found=found).sql(condition).truth
                self.relation = f"SELECT * FROM ({self.relation}) WHERE {truth}"
            case FilterIndex(condition):
                self._filter_index(condition)
            case Parse():
                self._parse(command)
            case ParseGlob(source, texts, names):
                [text] = self.computed([Sql(self.sql(source).shown, Kind.TEXT)])
                [between] = self.computed([Sql(extracting.between(text.text, texts), Kind.TEXT)])
                self._add_parsed(names, (f"{between.text}[{number}]" for number in range(1, len(names) + 1)))
            case ParseLogfmt(source, name):
                [text] = self.computed([Sql(self.sql(source).shown, Kind.TEXT)])
                keys, values = self.computed(extracting.pairs(text.text))
                self.add_field(name, extracting.structure(keys, values))
            case ParseCsv(source, names):
                [cells] = self.computed([Sql(extracting.csv_values(self.sql(source).shown), Kind.TEXT)])
                for number, name in enumerate(names, 1):
                    self.add_field(name, Sql(f"{cells.text}[{number}]", Kind.TEXT))
            case JsonField(source, path, name):
                value = f"json_extract({self.sql(source).document}, {literal(json_path(path))})"
                self.add_field(name, Sql(value, Kind.JSON))
            case Stats():
                self._stats(command)
            case Sort(keys):
                self._sort(keys)
            case Limit(count, _):
                self.relation = f"SELECT * FROM ({self.relation}) ORDER BY {self.order} LIMIT {count}"
            case Dedup(keys):
                self._dedup(keys)
            case Unnest(source, name):
                self._unnest(source, name)
            case Accumulate(source, name):
                [given] = self.computed([Sql(self.sql(source).number, Kind.NUMBER)])
                self.add_field(name, Sql(f"sum({given.text}) OVER (ORDER BY {self.order} {SO_FAR})", Kind.NUMBER))
            case Autoregress(source, columns):
                [given] = self.computed([self.sql(source)])
                for lag, name in columns:
                    self.add_field(name, Sql(f"lag({given.text}, {lag}) OVER (ORDER BY {self.order})", given.kind))
            case FillDown(names):
                self._fill_down(names)
            case FillMissing():
                self._fill_missing(command)
            case AddTotals():
                totals.add(self, command)
            case CountFrequent():
                self._count_frequent(command)
            case Outlier():
                outliers.handle(self, command)
            case Sessionize():
                sessions.identify(self, command)
            case AppendColumns():
                self._append_columns(command)
            case Lookup():
                self._lookup(command)
            case Structures():
                self._structures(command)
            case Diff():
                self._diff(command)
            case Join():
                self._join(command)

    def results(self, most: int) -> tuple[str, tuple[str, ...]]:
        """Return SQL that selects what is shown of the first records, and the names of its columns."""
        listed = self.shown_paths
        shown = [self.scope.field(path).shown for path in listed.values()]
        position = POSITION if self.scope.has_events else ()
        columns = ", ".join([*shown, *position]) or "1"
        answer = f"SELECT {columns} FROM ({self.relation}) ORDER BY {self.order} LIMIT {most}"
        return answer, tuple(listed)

    @property
    def shown_paths(self) -> dict[str, _Path]:
        """The fields that are shown by now, by their names."""
        if self._displayed is not None:
            return self._displayed
        return self._listed if self._has_list else {name: (name,) for name in _DEFAULT} | self._listed

    @property
    def shown(self) -> dict[str, Sql]:
        """What is shown by now, by the names."""
        return {name: self.scope.field(path) for name, path in self.shown_paths.items()}

    def chosen(self, name: str) -> Sql | None:
        """Return what is shown under a name, if a command has chosen that."""
        listed = (self._listed if self._has_list else {}) if self._displayed is None else self._displayed
        return self.scope.field(listed[name]) if name in listed else None

    # -- commands

    def sql(self, expression: Expression) -> Sql:
        """Return the SQL of an expression. Raises QueryProblem."""
        return Compiler(self.scope, self._text, self._asked).sql(expression)

    def column(self) -> str:
        """Return the name of a new column."""
        self.columns.append(f"c{len(self.columns)}")
        return self.columns[-1]

    def computed(self, values: Iterable[Sql]) -> list[Sql]:
        """Have values computed, and return the columns that have them."""
        made = [(value.text, Sql(self.column(), value.kind)) for value in values]
        if made:
            columns = ", ".join(f"{text} AS {column.text}" for text, column in made)
            self.relation = f"SELECT *, {columns} FROM ({self.relation})"
        return [column for _, column in made]

    def add_field(self, name: str, value: Sql) -> None:
        """Have a value computed, and shown under a name."""
        [column] = self.computed([value])
        self.scope = self.scope.with_field(name, column)
        self._listed[name] = (name,)

    def _named(self, columns: Iterable[Named]) -> dict[str, _Path]:
        """Have what is named computed, each from what was there before; return where it is found."""
        found: dict[str, _Path] = {}
        computed = []
        for one in columns:
            name = one.name(self._text)
            if isinstance(one.expression, Field) and one.alias is None:
                found[name] = one.expression.path
            else:
                found[name] = (name,)
                computed.append((name, self.sql(one.expression)))
        made = self.computed(value for _, value in computed)
        for (name, _), column in zip(computed, made, strict=True):
            self.scope = self.scope.with_field(name, column)
        return found

    def _filter_index(self, condition: In) -> None:
        """Have the fields of events looked at, whatever commands have made of their names."""
        if not self.scope.has_events:
            message = "filterIndex needs events, which are gone after stats and pattern"
            raise QueryProblem(message, condition.span.start, condition.span.end)
        truth = Compiler(self._events, self._text, self._asked).sql(condition).truth
        self.relation = f"SELECT * FROM ({self.relation}) WHERE {truth}"

    def _parse(self, command: Parse) -> None:
        source = Sql(self.sql(command.source).shown, Kind.TEXT)
        [text] = self.computed([source])
        if command.is_multiple:
            self._parse_all(command, text)
            return
        # A group around all tells, without a second look, whether there is a match: unless that is empty.
        pattern = literal(f"({command.pattern.text})")
        places = [f"p{number}" for number in range(len(command.names))]
        groups = ", ".join(literal(place) for place in ("a", *places))
        [found] = self.computed([Sql(f"regexp_extract({text.text}, {pattern}, [{groups}])", Kind.TEXT)])
        is_there = f"struct_extract({found.text}, 'a') <> '' OR regexp_matches({text.text}, {pattern})"
        [there] = self.computed([Sql(is_there, Kind.TRUTH)])
        extracted = (f"CASE WHEN {there.text} THEN struct_extract({found.text}, '{place}') END" for place in places)
        self._add_parsed(command.names, extracted)

    def _add_parsed(self, names: tuple[str, ...], values: Iterable[str]) -> None:
        """Have fields out of a text, given as SQL, computed, and shown under their names."""
        made = self.computed(Sql(value, Kind.TEXT) for value in values)
        for name, column in zip(names, made, strict=True):
            self.scope = self.scope.with_field(name, column)
            self._listed[name] = (name,)

    def _parse_all(self, command: Parse, text: Sql) -> None:
        """Have a record for each match; where there is none, the record stays as it is."""
        pattern = literal(command.pattern.text)
        groups = [
            Sql(f"regexp_extract_all({text.text}, {pattern}, {number})", Kind.TEXT)
            for number in range(1, len(command.names) + 1)
        ]
        found = self.computed(groups)
        count = f"greatest(coalesce(len({found[0].text}), 0), 1)"
        [nth] = self.computed([Sql(f"unnest(range(1, {count} + 1))", Kind.NUMBER)])
        for name, values in zip(command.names, found, strict=True):
            self.add_field(name, Sql(f"{values.text}[{nth.text}]", Kind.TEXT))

    def _stats(self, command: Stats) -> None:
        keys = self.computed(self.sql(one.expression) for one in command.keys)
        # A column may be made of those before it.
        known = {one.name(self._text): key for one, key in zip(command.keys, keys, strict=True)}
        values = []
        for one in command.columns:
            compiler = Compiler(self.scope, self._text, self._asked, aggregating=True, made=known)
            values.append(compiler.sql(one.expression))
            known[one.name(self._text)] = values[-1]
        made = [Sql(self.column(), value.kind) for value in values]
        selected = [key.text for key in keys]
        selected += [f"{value.text} AS {column.text}" for value, column in zip(values, made, strict=True)]
        grouped = f"GROUP BY {', '.join(key.text for key in keys)}" if keys else "HAVING count(*) > 0"
        self.relation = f"SELECT {', '.join(selected)} FROM ({self.relation}) {grouped}"
        names = [one.name(self._text) for one in (*command.keys, *command.columns)]
        self.scope = Scope(None, dict(zip(names, [*keys, *made], strict=True)))
        self._listed = {name: (name,) for name in names}
        self._has_list, self._displayed, self._ties = True, None, []
        self.order = ", ".join(part for key in keys for part in _ordered(key, key.kind is Kind.TIME)) or made[0].text
        for one, key in zip(command.keys, keys, strict=True):
            match one.expression:
                case Call("bin", (Period() as period,)):
                    columns = dict(zip(names[len(keys) :], made, strict=True))
                    self._binned = _Binned(key.text, period, columns, len(keys) == 1)

    def _fill_down(self, names: tuple[str, ...]) -> None:
        for name, path in _selected(names, self.shown_paths).items():
            [given] = self.computed([self.scope.field(path)])
            self.add_field(
                name, Sql(f"last_value({given.text} IGNORE NULLS) OVER (ORDER BY {self.order} {SO_FAR})", given.kind)
            )

    def _fill_missing(self, command: FillMissing) -> None:
        binned, span = self._binned, command.span
        if binned is None:
            raise QueryProblem("fillmissing stands right behind stats by bin()", span.start, span.end)
        if not binned.is_only_key:
            raise NotBuilt("fillmissing of statistics by more than bin()")
        given = {name: self.sql(value) for name, value in command.values}
        unknown = sorted(given.keys() - binned.values.keys())
        if unknown:
            raise QueryProblem(f"{unknown[0]} is none of the statistics before", span.start, span.end)
        bin = binned.bin
        columns = ", ".join([bin, *(one.text for one in binned.values.values())])
        filled = [f"{given.get(name, NULL).as_kind(one.kind)} AS {one.text}" for name, one in binned.values.items()]
        bounds = f"SELECT min({bin}) AS low, max({bin}) AS high FROM there"
        bins = f"SELECT unnest({functions.bins(binned.period, 'low', 'high')}) AS {bin} FROM ({bounds})"
        self.relation = (
            f"WITH there AS MATERIALIZED ({self.relation}) SELECT {columns} FROM there UNION ALL "
            f"SELECT {', '.join([bin, *filled])} FROM ({bins}) WHERE {bin} NOT IN (SELECT {bin} FROM there)"
        )

    def _count_frequent(self, command: CountFrequent) -> None:
        keys = tuple(Named(field, None) for field in command.fields)
        self._stats(Stats((Named(Call("count", (), command.span), _FREQUENCY),), keys, command.span))
        frequency = SortKey(Field((_FREQUENCY,), command.span), descending=True)
        self._sort([frequency, *(SortKey(field, descending=False) for field in command.fields)])

    def _append_columns(self, command: AppendColumns) -> None:
        if self._inputs is None:
            raise QueryProblem("appendcols stands in the outermost query only", command.span.start, command.span.end)
        table, columns = self._inputs.appended(command)
        shown = self.shown
        nth = self.column()
        numbered = f"SELECT *, row_number() OVER (ORDER BY {self.order}) AS {nth} FROM ({self.relation})"
        self.relation = f"SELECT * FROM ({numbered}) LEFT JOIN {table} ON {nth} = {table}n"
        for name, value in columns.items():
            if name not in shown:
                self.add_field(name, value)
            elif command.overrides:
                self.add_field(name, _where(f"{table}n IS NOT NULL", value, shown[name]))

    def _lookup(self, command: Lookup) -> None:
        if self._inputs is None:
            raise NotBuilt("lookup within a query within a query")
        wanted = self._inputs.lookup(command)
        fields = self.computed(Sql(self.sql(field).shown, Kind.TEXT) for _, field in command.keys)
        condition = wanted.condition([field.text for field in fields])
        self.relation = f"SELECT * FROM ({self.relation}) LEFT JOIN {wanted.table} ON {condition}"
        is_found = f"{wanted.key_columns[0]} IS NOT NULL"
        for (_, name), column in zip(command.outputs, wanted.output_columns, strict=True):
            known = self.scope.field(tuple(name.split(".")))
            is_taken = is_found if command.overwrites else f"{is_found} AND coalesce({known.shown}, '') = ''"
            self.add_field(name, _where(is_taken, Sql(column, Kind.TEXT), known))

    def find_structures(self, command: Structures) -> Sql:
        """Have the structures found that a command is about, which is to be added next; return their column."""
        [self._found] = self.computed([Sql(structures.structure(self.sql(command.source).shown), Kind.TEXT)])
        return self._found

    def _structures(self, command: Structures) -> None:
        column = (self._found or self.find_structures(command)).text
        self._found = None
        self._structured = self.relation, column
        self._group(column, structures.columns(column, "true"))

    def _diff(self, diff: Diff) -> None:
        if self._structured is None or self._inputs is None:
            raise QueryProblem("diff stands behind pattern in the outermost query", diff.span.start, diff.span.end)
        now, structure = self._structured
        self._structured = None
        before = self._inputs.before(diff.before, now)
        self.relation = f"SELECT *, true AS now FROM ({now}) UNION ALL SELECT *, false AS now FROM ({before})"
        self._group(structure, structures.columns(structure, "now") | structures.difference("now"))

    def _group(self, structure: str, made: dict[str, Sql]) -> None:
        """Make a record of each structure, which a column has."""
        columns = {name: Sql(self.column(), value.kind) for name, value in made.items()}
        selected = ", ".join(f"{made[name].text} AS {column.text}" for name, column in columns.items())
        there = f"SELECT * FROM ({self.relation}) WHERE {structure} IS NOT NULL"
        self.relation = f"SELECT {selected} FROM ({there}) GROUP BY {structure}"
        self.scope = Scope(None, columns)
        self._listed = {name: (name,) for name in columns}
        self._has_list, self._displayed, self._ties = True, None, []
        self.order = f"{columns['@sampleCount'].text} DESC, {columns['@pattern'].text}"

    def _sort(self, keys: Iterable[SortKey]) -> None:
        wanted = list(keys)
        columns = self.computed(self.sql(key.expression) for key in wanted)
        parts = [part for key, column in zip(wanted, columns, strict=True) for part in _ordered(column, key.descending)]
        self.order = ", ".join([*parts, *self._ties])

    def _join(self, join: Join) -> None:
        if self._inputs is None:
            raise QueryProblem("join stands in the outermost query only", join.span.start, join.span.end)
        right = self._inputs.right(join)
        [key] = self.computed([Sql(self.scope.field(join.left_key).key, Kind.TEXT)])
        kind = "LEFT JOIN" if join.keeps_all else "JOIN"
        self.relation = f"SELECT * FROM ({self.relation}) {kind} {right.table} ON {key.text} = {right.key}"
        self.scope = self.scope.joined(join.left, join.right, right)
        self._ties.append(right.order)
        self.order = f"{self.order}, {right.order}"

    def _dedup(self, keys: Iterable[Expression]) -> None:
        columns = [column.text for column in self.computed(Sql(self.sql(key).shown, Kind.TEXT) for key in keys)]
        absent = " OR ".join(f"{column} IS NULL" for column in columns)
        first = f"row_number() OVER (PARTITION BY {', '.join(columns)} ORDER BY {self.order}) = 1"
        self.relation = f"SELECT * FROM ({self.relation}) QUALIFY {first} OR {absent}"

    def _unnest(self, source: Expression, name: str) -> None:
        value = self.sql(source)
        [given] = self.computed([value])
        [document] = self.computed([Sql(given.document, Kind.JSON)])
        single = document.text if value.kind is Kind.JSON else f"to_json({given.shown})"
        elements = (
            f"unnest(CASE WHEN json_type({document.text}) = 'ARRAY' "
            f"THEN json_extract({document.text}, '$[*]') ELSE [{single}] END)"
        )
        [element] = self.computed([Sql(elements, Kind.JSON)])
        self.scope = self.scope.with_field(name, element)
        self._listed[name] = (name,)


def _selected(names: tuple[str, ...], shown: dict[str, _Path]) -> dict[str, _Path]:
    """Return the fields that names mean, among those that are shown where names have asterisks; all for no names."""
    found: dict[str, _Path] = {} if names else dict(shown)
    for name in names:
        if "*" in name:
            found |= {one: path for one, path in shown.items() if fnmatchcase(one, name)}
        else:
            found[name] = shown.get(name, tuple(name.split(".")))
    return found


def _where(condition: str, value: Sql, otherwise: Sql) -> Sql:
    """Return one value or another one: of their kind, or texts."""
    if value.kind is otherwise.kind:
        return Sql(f"CASE WHEN {condition} THEN {value.text} ELSE {otherwise.text} END", value.kind)
    return Sql(f"CASE WHEN {condition} THEN {value.shown} ELSE {otherwise.shown} END", Kind.TEXT)


def _ordered(column: Sql, descending: bool) -> list[str]:
    """Return by what records are sorted by a column: what is not there comes before all else."""
    direction = "DESC NULLS LAST" if descending else "ASC NULLS FIRST"
    return [f"{key} {direction}" for key in column.sort_keys]
