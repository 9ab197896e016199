"""The house's own rules, held by machine."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOUNDARIES = {"service/front.py"}
"""Where whatever a part of its own raises is told, and the part begun again: an intake."""

CAREFUL = {"runners/memory.py"}
"""Unpickles checkpoints, and finds nothing but our own readers' classes there: `tests/runners/test_memory.py`."""

SOURCES = sorted((ROOT / "src").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT / "src").as_posix())
def test_a_file_is_small_documented_and_made_of_small_functions(path):
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert text.count("\n") < 400
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno + 1 <= 40, f"{node.name} has {node.end_lineno - node.lineno + 1} lines"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT / "src").as_posix())
def test_no_broad_except_no_eval_no_pickle(path):
    name = path.relative_to(ROOT / "src" / "jackstop").as_posix()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None
            broad = isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
            assert not broad or name in BOUNDARIES
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {a.name for a in node.names} | {getattr(node, "module", None)}
            assert not names & {"pickle", "marshal", "shelve"} or name in CAREFUL


def test_floors_hold():
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml")) == EXIT_STATUS_SUCCESS


def test_every_test_file_has_a_name_of_its_own():
    names = [p.name for p in Path(__file__).parents[1].rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
