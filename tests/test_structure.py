"""Rules of the source and of the tests that are held by reading them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import seedwise

PACKAGE = Path(seedwise.__file__).parent


@cache
def trees() -> dict[str, ast.Module]:
    """The syntax tree of each module."""
    return {
        file.relative_to(PACKAGE).as_posix(): ast.parse(file.read_text())
        for file in sorted(PACKAGE.rglob("*.py"))
    }


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Every node of the source, with the module that it is in."""
    for module, tree in trees().items():
        for node in ast.walk(tree):
            yield module, node


def names_a_seed(node: ast.AST) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) in ("seed", "seeds_a", "seeds_b")


def pairs_by_seed(node: ast.AST) -> bool:
    """A mapping or a set that is keyed by the seeds of runs, as a look-up of partners is."""
    match node:
        case ast.DictComp(key=key):
            return names_a_seed(key)
        case ast.SetComp(elt=ast.Tuple(elts=[_, ast.Attribute() as key])):
            return names_a_seed(key)
        case ast.Call(func=ast.Name("dict"), args=[ast.Call(args=[key, *_])]):
            return names_a_seed(key)
    return False


def asks_which_metrics(node: ast.AST) -> bool:
    """Names of metrics collected over runs, or a question whether all have their predictions."""
    match node:
        case ast.SetComp(generators=[_, ast.comprehension(iter=names)]):
            return "metrics" in ast.unparse(names)
        case ast.Call(func=ast.Attribute(attr="intersection" | "union")):
            return "metrics" in ast.unparse(node)
        case ast.Call(func=ast.Name("all"), args=[ast.GeneratorExp(elt=asked)]):
            return "has_logits" in ast.unparse(asked)
    return False


ONE_PLACE = "comparison/study_runs.py"


def test_runs_pair_by_seed_at_one_place():
    found = {module for module, node in nodes() if pairs_by_seed(node)}
    # The findings of a report keep values by seed, for charts to look up; of several runs of one
    # seed at a commit, the last stands. Neither pairs.
    assert found - {"report/findings.py", "comparison/aside.py"} == {ONE_PLACE}


def test_which_metrics_runs_have_is_asked_at_one_place():
    found = {module for module, node in nodes() if asks_which_metrics(node)}
    assert found == {ONE_PLACE}


RECORDERS = {"RecordRun", "CollectRun"}
"""One a library, each in its adapter: users import the one of the library that they train with."""


def types_in(tree: ast.Module) -> Iterator[str]:
    """Names of the classes, without a leading underscore, and of the public aliases of types."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name):
                yield name.lstrip("_")
            case ast.Assign(targets=[ast.Name(name)]) if re.match("[A-Z][a-z]", name):
                yield name


def test_no_two_types_have_one_name():
    modules = defaultdict(set)
    for module, tree in trees().items():
        for name in types_in(tree):
            modules[name].add(module)
    assert {name: found for name, found in modules.items() if len(found) > 1}.keys() == RECORDERS


RIDDLE = re.compile(r"(What|Where|Whether|How|Which|When|Why|Who|Whose)\b")


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Docstrings, and the strings that stand below a constant for one."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str()) as found):
                yield found


def test_a_docstring_begins_with_a_noun_or_a_verb():
    found = [
        f"{module}:{text.lineno}: {text.value.strip().splitlines()[0]}"
        for module, tree in trees().items()
        for text in docstrings(tree)
        if RIDDLE.match(text.value.strip())
    ]
    assert found == []


def test_no_module_has_more_than_400_lines():
    lines = {str(file): len(file.read_text().splitlines()) for file in PACKAGE.rglob("*.py")}
    assert {name: many for name, many in lines.items() if many > 400} == {}


TESTS = Path(__file__).parent
CLOCKS = {"process_time", "perf_counter", "thread_time", "monotonic", "time", "getrusage"}


def is_slow(node: ast.AST) -> bool:
    return any("mark.slow" in ast.unparse(each) for each in getattr(node, "decorator_list", ()))


def quick(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those of functions that are marked slow."""
    if not is_slow(tree):
        yield tree
        for child in ast.iter_child_nodes(tree):
            yield from quick(child)


def rests_on_a_clock(node: ast.AST) -> bool:
    """A duration that is bounded, or a deadline that a machine with other work does not keep."""
    match node:
        case ast.Compare():
            asked = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
            return any(getattr(each, "attr", getattr(each, "id", "")) in CLOCKS for each in asked)
        case ast.keyword(arg="timeout", value=ast.Constant(value=int() | float() as seconds)):
            return 1 <= seconds < 60
    return False


def test_no_test_rests_on_the_speed_of_the_machine():
    """Work is counted, or measured by `helpers.effort`; deadlines are there for what hangs."""
    found = [
        f"{file.relative_to(TESTS)}:{getattr(node, 'lineno', '')}"
        for file in sorted(TESTS.rglob("*.py"))
        for node in quick(ast.parse(file.read_text()))
        if rests_on_a_clock(node) and "helpers" not in file.parts
    ]
    assert found == []
