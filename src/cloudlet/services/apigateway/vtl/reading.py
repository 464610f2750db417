"""Reads templates: text, references and directives."""

from __future__ import annotations

import re
from collections.abc import Callable

from cloudlet.services.apigateway.vtl.error import VtlError
from cloudlet.services.apigateway.vtl.expressions import DEEPEST, IDENTIFIER, ExpressionReader, Reads
from cloudlet.services.apigateway.vtl.tree import (
    Block,
    Break,
    Call,
    Define,
    Foreach,
    If,
    Macro,
    Node,
    Reference,
    Set,
    Stop,
    Text,
)

_SPECIAL = re.compile(r"(?<!\\)\\*[$#]")
_DIRECTIVE = re.compile(r"#(?:\{(?P<braced>@?[A-Za-z_][A-Za-z0-9_-]*)\}|(?P<plain>@?[A-Za-z_][A-Za-z0-9_-]*))")
_END_OF_LINE = re.compile(r"[ \t]*(?:\r\n|\n|\r)")
_LINE_END = re.compile(r"\r\n|\n|\r|\Z")
_IN = re.compile(r"\s*in\b")
_ENDING = ("end", "elseif", "else")


class _Ending(Exception):
    """Ends a block: with the directive of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Reader(ExpressionReader):
    """Reads one template."""

    def __init__(self, text: str, reads: Reads, depth: int) -> None:
        super().__init__(text, reads, lambda content, depth: read(content, depth, reads), depth)

    def template(self) -> Block:
        """Read all of it."""
        nodes: list[Node] = []
        try:
            self._nodes_until_end(nodes)
        except _Ending as ending:
            raise VtlError(f"#{ending.name} belongs to no directive") from None
        return tuple(nodes)

    def _body(self, *endings: str) -> tuple[Block, str]:
        """Read a directive's block; return it and the name of the directive that ends it."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise VtlError("the template is nested too deeply")
        nodes: list[Node] = []
        try:
            self._nodes_until_end(nodes)
        except _Ending as ending:
            if ending.name in endings:
                return tuple(nodes), ending.name
            raise VtlError(f"#{ending.name} is not expected here") from None
        finally:
            self._depth -= 1
        raise VtlError("#end is missing")

    def _nodes_until_end(self, nodes: list[Node]) -> None:
        text = self.text
        while self.at < len(text):
            match = _SPECIAL.search(text, self.at)
            if match is None:
                nodes.append(Text(text[self.at :]))
                self.at = len(text)
                return
            if match.start() > self.at:
                nodes.append(Text(text[self.at : match.start()]))
            escapes = match.end() - match.start() - 1
            self.at = match.end() - 1
            if text[self.at] == "$":
                nodes.append(self._reference_or_text(escapes))
            else:
                self._hash(nodes, escapes)

    def _reference_or_text(self, escapes: int) -> Node:
        start = self.at
        try:
            reference = self.reference(in_text=True)
        except VtlError:
            if self._is_meant(start):
                raise
            self.at = start + 1
            return Text("\\" * escapes + "$")
        return Reference(reference.name, reference.steps, reference.is_quiet, reference.source, escapes)

    def _is_meant(self, start: int) -> bool:
        """Whether what begins with a dollar sign is a reference that is written wrongly, and not just text."""
        return re.compile(r"\$!?\{?[A-Za-z_]").match(self.text, start) is not None

    def _hash(self, nodes: list[Node], escapes: int) -> None:
        text = self.text
        if not escapes and self._comment(nodes):
            return
        match = _DIRECTIVE.match(text, self.at)
        if match is None:
            nodes.append(Text("\\" * escapes + "#"))
            self.at += 1
            return
        name = match["braced"] or match["plain"]
        if match["plain"] is not None and name not in _KNOWN:
            # What follows #end and #else without a space is text.
            name = next((ending for ending in _ENDING if name.startswith(ending)), name)
        if escapes:
            nodes.append(Text("\\" * (escapes // 2)))
            if escapes % 2:
                nodes.append(Text("#"))
                self.at += 1
                return
        start = self.at
        self.at = match.end() if match["braced"] else start + 1 + len(name)
        if name in _ENDING:
            if name != "elseif":
                self._skip_line_end()
            raise _Ending(name)
        read = _KNOWN.get(name)
        if read is not None:
            if name == "set":
                _strip_blank(nodes)
            nodes.append(read(self))
        else:
            self._call(nodes, name, start)

    def _comment(self, nodes: list[Node]) -> bool:
        text = self.text
        if text.startswith("##", self.at):
            line_end = _LINE_END.search(text, self.at)
            self.at = len(text) if line_end is None else line_end.end()
            return True
        if text.startswith("#*", self.at):
            end = text.find("*#", self.at + 2)
            self.at = len(text) if end < 0 else end + 2
            return True
        if text.startswith("#[[", self.at):
            end = text.find("]]#", self.at + 3)
            if end < 0:
                raise VtlError("]]# is missing")
            nodes.append(Text(text[self.at + 3 : end]))
            self.at = end + 3
            return True
        return False

    def _skip_line_end(self) -> None:
        """Skip what is left of a line on which nothing follows a directive."""
        match = _END_OF_LINE.match(self.text, self.at)
        if match is not None:
            self.at = match.end()

    def _call(self, nodes: list[Node], name: str, start: int) -> None:
        if not self.looks_at("("):
            nodes.append(Text(self.text[start : self.at]))
            return
        before = self.at
        try:
            arguments = self.spaced_arguments()
        except VtlError:
            # Text that looks like a directive, as in a style sheet.
            self.at = before
            nodes.append(Text(self.text[start:before]))
            return
        self._skip_line_end()
        nodes.append(Call(name, arguments, self.text[start : self.at]))

    # -- directives

    def set(self) -> Node:
        self.expect("(")
        self.blank()
        if not self.looks_at("$"):
            raise VtlError("#set needs a reference")
        target = self.reference(in_text=False)
        self.expect("=")
        value = self.expression()
        self.expect(")")
        self._skip_line_end()
        return Set(target, value)

    def branch(self) -> Node:
        branches = []
        ending = "elseif"
        while ending == "elseif":
            self.expect("(")
            condition = self.expression()
            self.expect(")")
            self._skip_line_end()
            body, ending = self._body("end", "else", "elseif")
            branches.append((condition, body))
        otherwise: Block = ()
        if ending == "else":
            otherwise, _ = self._body("end")
        return If(tuple(branches), otherwise)

    def foreach(self) -> Node:
        self.expect("(")
        self.blank()
        name = self._variable()
        match = _IN.match(self.text, self.at)
        if match is None:
            raise VtlError("#foreach needs the word in")
        self.at = match.end()
        values = self.expression()
        self.expect(")")
        self._skip_line_end()
        body, _ = self._body("end")
        return Foreach(name, values, body)

    def macro(self) -> Node:
        self.expect("(")
        self.blank()
        match = IDENTIFIER.match(self.text, self.at)
        if match is None:
            raise VtlError("#macro needs a name")
        self.at = match.end()
        parameters = []
        while not self.takes(")"):
            self.takes(",")
            self.blank()
            parameters.append(self._variable())
        self._skip_line_end()
        body, _ = self._body("end")
        return Macro(match[0], tuple(parameters), body)

    def define(self) -> Node:
        self.expect("(")
        self.blank()
        name = self._variable()
        self.expect(")")
        self._skip_line_end()
        body, _ = self._body("end")
        return Define(name, body)

    def leave(self) -> Node:
        return Break()

    def stop(self) -> Node:
        return Stop()

    def refuse(self) -> Node:
        raise VtlError("#include, #parse and #evaluate are not supported")

    def _variable(self) -> str:
        if not self.looks_at("$"):
            raise VtlError(f"a variable is expected at {self.at}")
        reference = self.reference(in_text=False)
        if reference.steps:
            raise VtlError(f"{reference.source} is no variable")
        return reference.name


def _strip_blank(nodes: list[Node]) -> None:
    """Take away the indentation of a directive."""
    if nodes and isinstance(nodes[-1], Text):
        nodes[-1] = Text(nodes[-1].text.rstrip(" \t"))


_KNOWN: dict[str, Callable[[_Reader], Node]] = {
    "set": _Reader.set,
    "if": _Reader.branch,
    "foreach": _Reader.foreach,
    "macro": _Reader.macro,
    "define": _Reader.define,
    "break": _Reader.leave,
    "stop": _Reader.stop,
    "return": _Reader.stop,
    "include": _Reader.refuse,
    "parse": _Reader.refuse,
    "evaluate": _Reader.refuse,
}


def read(text: str, depth: int = 0, reads: Reads | None = None) -> Block:
    """Return what a template is made of; `reads` is what is left of those of the whole. Raises VtlError."""
    if depth > DEEPEST:
        raise VtlError("the template is nested too deeply")
    return _Reader(text, reads or Reads(), depth).template()
