"""Names that a function reads of its module, with what is taken of them, and its imports."""

import ast
import dis
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

from seedwise.code.source import Import, SourceText, imports_of

__all__ = [
    "Names",
    "imports_for",
    "is_volatile",
    "mutated_in",
    "names_in",
    "side_imports",
    "statements_for",
]

_MUTATORS = frozenset(
    [
        "append",
        "extend",
        "insert",
        "add",
        "update",
        "setdefault",
        "pop",
        "popitem",
        "clear",
        "remove",
        "discard",
        "sort",
        "reverse",
        "appendleft",
        "popleft",
    ]
)

_VOLATILE = frozenset(
    [
        "time",
        "time_ns",
        "perf_counter",
        "monotonic",
        "now",
        "utcnow",
        "today",
        "uuid1",
        "uuid4",
        "getpid",
        "cpu_count",
        "sched_getaffinity",
        "is_available",
        "device_count",
        "current_device",
        "gethostname",
        "node",
        "platform",
        "mkdtemp",
        "mkstemp",
        "gettempdir",
        "TemporaryDirectory",
        "getcwd",
        "cwd",
        "getuser",
        "home",
        "token_hex",
        "getLogger",
        "stdout",
        "stderr",
    ]
)
"""Names in the code that sets a value which differ from process to process, or by machine."""


@dataclass(slots=True)
class Names:
    """Names that some code reads.

    Attributes:
        read: Global names, each with the attributes that are taken of it.
        stored: Global names that it gives a value itself.
        imports: Its imports.
    """

    read: set[tuple[str, ...]]
    stored: set[str]
    imports: list[Import]


def names_in(code: CodeType) -> Names:
    """Find what some code, and the code inside it, reads."""
    found = Names(set(), set(), [])
    chain = list[str]()
    constants = list[object]()
    for each in dis.get_instructions(code):
        if each.opname in ("LOAD_ATTR", "LOAD_METHOD") and chain:
            chain.append(each.argval)
            continue
        if chain and each.opname != "PUSH_NULL":
            found.read.add(tuple(chain))
            chain = []
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            chain = [each.argval]
        elif each.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            found.stored.add(each.argval)
        elif each.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
            constants.append(each.argval)
        elif each.opname == "IMPORT_NAME":
            level, names = constants[-2:]
            taken = names if isinstance(names, tuple) else ()
            found.imports.append(Import(each.argval, int(str(level)), taken, ()))
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            more = names_in(inner)
            found.read |= more.read
            found.stored |= more.stored
            found.imports += more.imports
    return found


def mutated_in(text: str) -> set[str]:
    """The names whose value some source text changes in place: what they hold is state."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    found = set[str]()
    for node in ast.walk(tree):
        target = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            target = node.func.value if node.func.attr in _MUTATORS else None
        elif isinstance(node, ast.Subscript | ast.Attribute):
            target = node.value if isinstance(node.ctx, ast.Store | ast.Del) else None
        if isinstance(target, ast.Name):
            found.add(target.id)
    return found


def statements_for(source: SourceText, name: str) -> list[ast.stmt]:
    """The statements of a module that give a global name its value, imports aside."""
    return [
        node
        for node in _top_level(source.tree.body if source.tree else ())
        if name in _bound_by(node)
    ]


def imports_for(source: SourceText, name: str) -> Iterator[Import]:
    """The imports of a module that may give a global name its value."""
    for each in _module_imports(source):
        if name in each.binds or each.names == ("*",):
            yield each


def side_imports(source: SourceText) -> Iterator[Import]:
    """The imports of a module whose names nothing in it uses: they are there for what they do."""
    if source.tree is None:
        return
    used = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)}
    for each in _module_imports(source):
        if each.names == ("*",) or not used.intersection(each.binds):
            yield each


def is_volatile(statements: list[ast.stmt]) -> bool:
    """Tell whether statements take a value from the clock, the machine or the process."""
    for node in (each for one in statements for each in ast.walk(one)):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
        if name in _VOLATILE:
            return True
    return False


def _module_imports(source: SourceText) -> Iterator[Import]:
    """The imports of a module outside of its functions and classes."""
    for node in _top_level(source.tree.body if source.tree else ()):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports_of(node)


def _top_level(body: list[ast.stmt] | tuple[()]) -> Iterator[ast.stmt]:
    """The statements of a module, those inside `if`, `try`, `with` and loops included."""
    for node in body:
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            yield from _top_level(node.orelse)
            continue
        yield node
        for name in ("body", "orelse", "finalbody"):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _top_level(getattr(node, name, []))
        for handler in getattr(node, "handlers", []):
            yield from _top_level(handler.body)


def _bound_by(node: ast.stmt) -> set[str]:
    """The names that a statement itself, not one inside it, gives a value."""
    targets = list[ast.expr]()
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
        targets = [node.target]
    elif isinstance(node, ast.With):
        targets = [item.optional_vars for item in node.items if item.optional_vars]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        base = node.value.func  # CONFIG.update(lr=0.1)
        targets = [base.value] if isinstance(base, ast.Attribute) else []
        return {each.id for each in targets if isinstance(each, ast.Name)}
    names = set[str]()
    for target in targets:
        for each in ast.walk(target):
            if isinstance(each, ast.Name):
                names.add(each.id)
    return names
