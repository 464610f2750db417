#!/usr/bin/env python3
"""A check of the words in src/: docstrings, names of functions, limits and modules. CONTRIBUTING.md tells the rules.

It is a ratchet: `scripts/words.json` has how many violations each file may have yet, by rule; a new file none.

    scripts/check_words.py                  fail where a file has more, and show which
    scripts/check_words.py --list PATH      show all violations of a file or folder
    scripts/check_words.py --update         lower the counts that have fallen; none is ever raised
    scripts/check_words.py --moved OLD NEW  give a file what is left of the counts of one that it was, or was part of
"""

import argparse
import ast
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ALLOWANCES = ROOT / "scripts/words.json"
MAX_SENTENCE_WORDS = 15


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# How functions may begin, and their docstrings: the verbs in use, and those of the field that may come to be.
VERBS = _words(
    """abandon abort absorb accept acknowledge acquire act activate add adjust admit adopt advance aggregate allocate
    allow annotate announce answer append apply archive arrive ask assert assign associate assume attach
    attempt authenticate
    authorize await back bear become begin believe bind block boot break bring broadcast buffer build bury calculate
    call cancel capture carry cascade catch change charge check choose claim clamp classify clean clear close coalesce
    collect combine commit compact compare compile complete compose compress compute concatenate conclude configure
    confirm connect consume contain contend convert copy correct correlate count cover create cut deactivate
    deauthorize decide declare decode decompress decrease decrement decrypt deduplicate defer define delay delegate
    delete deliver demote deny depart depend deploy dequeue derive describe deserialize detach detect diff differ
    disable discard disconnect discover dismiss disassociate dispatch display dissolve distribute divide
    do download drain draw
    drive drop dump duplicate edit elect emit enable encode encrypt end enqueue enrich ensure enter enumerate equal
    escape establish estimate evaluate evict examine exclude execute exist expand expect expire explain export extend
    extract fail feed fetch fill filter finalize find finish fit flatten flip flush fold follow forbid force forget
    format forward free freeze gather generate get give go grant grow guard halt halve hand handle hang hash have
    heartbeat hide hold identify ignore impersonate import include increase increment infer ingest inherit initialise
    inject insert insist inspect install interpolate interrupt intersect invalidate invoke isolate issue iterate join
    judge keep kill know lack land launch learn leave let limit link list listen load locate lock log look lookup lose
    make map mark mask match measure merge migrate mock modify monitor mount move mute need negate negotiate normalize
    note notify observe obtain occupy offload omit open overlap override pack park parse partition pass patch pause
    peek perform permit persist pick plan poll pop post postpone pour preallocate prefer prepare prevent print probe
    proceed process promote propagate protect provide provision prune publish purge push put query queue quote raise
    rank reach read reap rebuild receive reclaim recompute reconcile reconstruct record recover recreate redact
    redeliver redirect reduce reencrypt refresh refuse regenerate register reimport reject relay release reload
    remember remove rename render renew reopen repair repeat replace replay replicate reply report request requeue
    require reschedule reserve reset resize resolve respond rest restart restore restrict resume retain retire
    retrieve retry return reuse revert revoke rewind reword rewrap rewrite roll rotate round route run sample sanitize
    satisfy save say scale scan schedule seal search see select send serialize serve set settle share ship shorten
    show shuffle shut shutdown sign signal simulate skip sleep snap sort spawn spend spill split start stay steal stop
    store stream strip submit subscribe substitute subtract succeed suggest sum summarize supervise support suppress
    suspend swap sweep switch sync tag take tell terminate test thaw throttle tidy toggle tokenize touch track train
    transact transform transition translate traverse trigger trim truncate trust try tune tunnel turn undo unescape
    unflip unlink unlock unmount unpack unquote unregister unschedule unset unsettle unsubscribe untag unwrap update
    upgrade upload use validate verify visit wait waive wake walk want warm watch weigh withdraw word work wrap write
    yield zip"""
)
# Participles that do not end in -ed, each before its verb.
IRREGULAR = dict(
    pair.split(":")
    for pair in _words(
        """begun:begin bound:bind brought:bring built:build chosen:choose done:do drawn:draw found:find given:get
        gone:leave held:hold hidden:hide kept:keep known:know left:leave lost:lose made:make met:meet paid:pay said:say
        seen:see sent:send shown:describe,_or_to_api spent:spend spoken:speak taken:take thrown:throw told:tell
        woken:wake written:write"""
    )
)
# How no docstring begins: with a riddle, of which the answer comes later, or with what a thing does.
RIDDLES = _words(
    """so who what that those as whose whom where when how which why if whether he she it its itself they nobody
    somebody something everybody everything nothing whoever whatever while up may is accepts asks computes does
    finds gives has holds keeps knows makes says sends starts takes tells uses verifies writes"""
)
BOOLEAN = _words("is has can should must")
# Names that others give: asyncio, io, pytest, the glossary; `on_…`, `to_…` and `from_…` are Python's own habit.
FRAMEWORK = re.compile(
    r"__|(on|to|from|pytest)_|((connection_(made|lost)|(data|eof|datagram|error)_received|next|main|fileno|isatty|seekable"
    r"|readable|writable|writelines|best_effort)$)"
)
# What closures may be called: docs/glossary.md has the first; the others are Python's habit.
CLOSURES = _words("body callback decorator wrapper done test")
# Decorators by which a name is not of our choice, or not of an action: AWS's operations, attributes, fixtures.
NOT_OURS = re.compile(r"operation|direct|property|setter|fixture")
OLD_LIMITS = _words("MOST ONCE LARGEST LONGEST DEEPEST")
# What is counted is its own unit (MAX_ROWS); what is measured has one besides (MAX_BODY_BYTES).
MEASURES = _words("BYTES CHARACTERS DAYS DIGITS HOURS LEVELS MILLIS MINUTES SECONDS")
# Where one name means one module, and what may be there several times, with the reason.
UNIQUE_WITHIN = _words("core edge store engines")
SHARED_MODULES = {"__init__": "is its package, whose name counts"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Counts = dict[str, dict[str, int]]


class Violation(NamedTuple):
    """A place where a rule is broken; `subject` stays the same while the lines above change."""

    line: int
    rule: str
    subject: str
    advice: str


def is_participle(word: str) -> bool:
    """Whether a word is a past participle, as far as its ending and a list tell."""
    return word in IRREGULAR or (len(word) > 4 and word.endswith("ed") and word not in VERBS)


def _find_verb(participle: str) -> str:
    stems = (participle[:-1], participle[:-2], participle[:-3], participle[:-3] + "y")
    verb = IRREGULAR.get(participle) or next((stem for stem in stems if stem in VERBS), "")
    return f"use the verb: {verb}".replace("_or_", " or ") if verb else "use a verb"


def _is_third_person(word: str) -> bool:
    return word.endswith("s") and bool({word[:-1], word[:-2], word[:-3] + "y"} & VERBS)


def check_docstring(text: str, *, is_action: bool, is_boolean: bool = False) -> str | None:
    """Return advice on the first sentence of a docstring, None where it is right."""
    words = re.split(r"(?<=[.!?]) (?=\W?[A-Z])", text)[0].split() or [""]
    first = re.sub(r"\W+$", "", words[0]).lower()
    if re.match(r"(return )?whether what\b", text, re.IGNORECASE):
        return 'say what is true then, instead of "whether what …"'
    if not (first == "whether" and is_boolean):
        if first in RIDDLES or first in IRREGULAR:
            return f'do not begin with "{words[0]}": ' + ("say what it does" if is_action else "name the thing")
        if is_action and first not in VERBS | {"name"}:
            return 'begin with a verb in the imperative ("Return the …")' + (', or "Whether"' if is_boolean else "")
    if len(words) > MAX_SENTENCE_WORDS:
        return f"say it in one sentence of at most {MAX_SENTENCE_WORDS} words first; this one has {len(words)}"
    return None


def check_function_name(name: str, *, is_boolean: bool = False, is_context: bool = False) -> tuple[str, str] | None:
    """Return the rule that a function's name breaks, and advice; None where it is right."""
    first, *others = name.strip("_").lower().split("_")
    if first in BOOLEAN or (is_boolean and (_is_third_person(first) or is_participle(first))):
        return None
    if is_participle(first):
        return "participle", _find_verb(first)
    if is_context:  # As `asyncio.timeout` and `contextlib.suppress`: what holds meanwhile.
        return None
    if first not in VERBS or others[:1] == ["of"]:
        better = "is_, has_ or can_" if is_boolean else "a verb, such as find, get, make or to"
        return "verb", f"begin with {better}"
    return None


def check_limit(name: str) -> str | None:
    """Return a better name for a limit; None where it is right, or no limit."""
    words = name.strip("_").replace("AT_ONCE", "ONCE").split("_")
    nouns = [word for word in words if word not in OLD_LIMITS and word != "MAX"]
    has_unit = re.search(r"[^S]S$", "_".join(nouns)) is not None
    has_noun = len(nouns) > (1 if nouns[-1:] and nouns[-1] in MEASURES else 0)
    if OLD_LIMITS.isdisjoint(words) and (words[0] != "MAX" or (has_noun and has_unit)):
        return None
    better = ["MAX", *([] if has_noun else ["<NOUN>"]), *nouns, *([] if has_unit else ["<UNIT>"])]
    return "_" * name.startswith("_") + "_".join(better)


class _Checker:
    """The violations of one module."""

    def __init__(self) -> None:
        self.found: list[Violation] = []

    def _add(self, line: int, rule: str, subject: str, advice: str | None) -> None:
        if advice is not None:
            self.found.append(Violation(line, rule, subject, advice))

    def check_docstring(self, node: ast.stmt, name: str, *, is_action: bool = False, is_boolean: bool = False) -> None:
        """Check the docstring that a statement is, if it is one."""
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            text = " ".join(node.value.value.split("\n\n")[0].split())
            advice = check_docstring(text, is_action=is_action, is_boolean=is_boolean)
            self._add(node.lineno, "docstring", f'{name}: "{text[:60]}"', advice)

    def check_body(self, body: list[ast.stmt], scope: str, *, is_function: bool = False, names: bool = True) -> None:
        """Check statements, and those within; `names`: also those of functions."""
        for node, following in zip(body, [*body[1:], ast.Pass()], strict=False):
            if isinstance(node, ast.ClassDef):
                self._check_class(node, scope)
            elif isinstance(node, Function):
                self._check_function(node, scope, is_nested=is_function, names=names)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                self.check_docstring(following, scope + ast.unparse(target), is_boolean=True)
                if isinstance(target, ast.Name) and target.id.isupper() and not is_function:
                    self._add(node.lineno, "limit", scope + target.id, check_limit(target.id))
            else:
                for part in (node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                    for field in ("body", "orelse", "finalbody"):
                        self.check_body(getattr(part, field, []), scope, is_function=is_function, names=names)

    def _check_class(self, node: ast.ClassDef, scope: str) -> None:
        self.check_docstring(node.body[0], scope + node.name)
        advice = "name the thing, by a noun" if is_participle(node.name.strip("_").lower()) else None
        self._add(node.lineno, "participle", scope + node.name, advice)
        # What `core.aws.language` calls is named as the grammar's rules are.
        of_grammar = node.name in ("Meaning", "_Meaning", "_Transformer")
        self.check_body(node.body, f"{scope}{node.name}.", names=not of_grammar)

    def _check_function(self, node: Function, scope: str, *, is_nested: bool, names: bool) -> None:
        decorators = " ".join(map(ast.unparse, node.decorator_list))
        returned = ast.unparse(node.returns) if node.returns is not None else ""
        is_boolean = re.search(r"\b(bool|Type(Is|Guard))\b", returned) is not None
        is_action = "property" not in decorators and node.name != "__init__"
        self.check_docstring(node.body[0], scope + node.name, is_action=is_action, is_boolean=is_boolean)
        is_given = FRAMEWORK.match(node.name) or NOT_OURS.search(decorators) or (is_nested and node.name in CLOSURES)
        if names and not is_given:
            is_context = "contextmanager" in decorators
            rule, advice = check_function_name(node.name, is_boolean=is_boolean, is_context=is_context) or ("", None)
            self._add(node.lineno, rule, scope + node.name, advice)
        self.check_body(node.body, f"{scope}{node.name}.", is_function=True)


def check_source(text: str) -> list[Violation]:
    """Return the violations of a module's source, in the order of lines."""
    checker, body = _Checker(), ast.parse(text).body
    checker.check_docstring(body[0] if body else ast.Pass(), "module")
    checker.check_body(body, "")
    return sorted(checker.found)


def check_module_names(paths: Iterable[str]) -> dict[str, Violation]:
    """Return the modules, by path, that share their names with others of the folders where names are unique."""
    named: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        parts = path.removesuffix(".py").removesuffix("/__init__").split("/")[2:]
        if parts[:1] and parts[0] in UNIQUE_WITHIN and parts[-1] not in SHARED_MODULES:
            named[parts[-1]].append(path)
    return {
        path: Violation(
            1, "module", name, "name it for its subject; others: " + ", ".join(p for p in same if p != path)
        )
        for name, same in named.items()
        if len(same) > 1
        for path in same
    }


def check_all() -> dict[str, list[Violation]]:
    """Return the violations of all files in src/, by path."""
    texts = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / "src").rglob("*.py"))}
    named = check_module_names(texts)
    return {path: [*([named[path]] if path in named else []), *check_source(text)] for path, text in texts.items()}


def find_new(now: list[Violation], before: list[Violation]) -> list[Violation]:
    """Return the violations that were not there before, whatever their lines are."""
    left = Counter((each.rule, each.subject) for each in before)
    new = []
    for each in now:
        left[each.rule, each.subject] -= 1
        if left[each.rule, each.subject] < 0:
            new.append(each)
    return new


def count(violations: Iterable[Violation]) -> dict[str, int]:
    """Count violations by rule."""
    return dict(sorted(Counter(each.rule for each in violations).items()))


def lower(allowed: Counts, counts: Counts) -> Counts:
    """Return what files may have yet: no more than they have now, nor than they might have before."""
    lowered = {path: Counter(rules) & Counter(counts.get(path, {})) for path, rules in allowed.items()}
    return {path: dict(rules) for path, rules in lowered.items() if rules}


def move(allowed: Counts, counts: Counts, old: str, new: str) -> Counts:
    """Return what files may have once the code of one has gone, all or in part, to another one."""
    before = Counter(allowed.get(old, {}))
    left = before & Counter(counts.get(old, {}))
    moved = {**allowed, old: dict(left), new: dict(Counter(allowed.get(new, {})) + (before - left))}
    return {path: rules for path, rules in moved.items() if rules}


def find_excess(allowed: Counts, counts: Counts) -> Counts:
    """Return by how much files have more violations than they may."""
    excess = {path: Counter(rules) - Counter(allowed.get(path, {})) for path, rules in counts.items()}
    return {path: dict(rules) for path, rules in excess.items() if rules}


def _read_before(path: str) -> list[Violation]:
    """Return what a file had when the counts were last written, as git knows it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True).stdout

    commit = git("log", "-1", "--format=%H", "--", str(ALLOWANCES)).strip()
    return check_source(git("show", f"{commit}:{path}")) if commit else []


def _save(allowed: Counts) -> None:
    """Write the counts, a file on each line: branches that change different files can be merged."""
    rows = ",\n".join(
        f"  {json.dumps(path)}: {json.dumps(rules, sort_keys=True)}" for path, rules in sorted(allowed.items())
    )
    ALLOWANCES.write_text(f"{{\n{rows}\n}}\n")


def main() -> int:
    """Run as a command; return its exit status."""
    parser = argparse.ArgumentParser(description="Check the words in src/.")
    parser.add_argument("--list", metavar="PATH", help="show all violations of a file or folder")
    parser.add_argument("--update", action="store_true", help="lower the counts that have fallen")
    parser.add_argument("--moved", nargs=2, metavar=("OLD", "NEW"), help="pass on the counts of a file that has moved")
    options = parser.parse_args()
    found = check_all()
    counts = {path: count(each) for path, each in found.items()}
    allowed: Counts = json.loads(ALLOWANCES.read_text()) if ALLOWANCES.exists() else counts
    if options.moved:
        allowed = move(allowed, counts, *options.moved)
        _save(allowed)
    if options.update:
        allowed = lower(allowed, counts)
        _save(allowed)
    excess = find_excess(allowed, counts)
    if options.list:
        prefix = Path(options.list).resolve().relative_to(ROOT).as_posix()
        shown = {path: each for path, each in found.items() if f"{path}/".startswith(f"{prefix}/")}
    else:
        more = {path: [each for each in found[path] if each.rule in rules] for path, rules in excess.items()}
        shown = {path: find_new(each, _read_before(path)) or each for path, each in more.items()}
    for path, violations in shown.items():
        for each in violations:
            print(f"{path}:{each.line}: {each.rule}: {each.subject} — {each.advice}")
    if options.list:
        print(count(each for violations in shown.values() for each in violations))
        return 0
    if excess:
        print(
            f"Files with more violations than scripts/words.json allows: {len(excess)}. Words are in docs/glossary.md."
        )
    elif lower(allowed, counts) != allowed:
        print("Violations have gone: scripts/check_words.py --update keeps them away.")
    return 1 if excess else 0


if __name__ == "__main__":
    sys.exit(main())
