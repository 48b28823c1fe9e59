"""The package as it is installed: what importing costs, what is typed, what its documentation says."""

import ast
import doctest
import importlib
import inspect
import pathlib
import pkgutil
import subprocess
import sys

import typed

import rewardanything
from rewardanything import _rewardanything as native

ROOT = pathlib.Path(rewardanything.__file__).parent


def modules():
    names = [found.name for found in pkgutil.walk_packages([str(ROOT)], "rewardanything.")]
    return [rewardanything, *map(importlib.import_module, names)]


def test_importing_takes_no_time_and_no_torch():
    code = (
        "import sys, time\n"
        # Of this process: what else the machine does is not counted.
        "began = time.process_time()\n"
        "import rewardanything\n"
        "took = time.process_time() - began\n"
        "found = {'torch', 'numpy', 'asyncio', 'ssl', 'http.client', 'requests'} & set(sys.modules)\n"
        "assert not found, found\n"
        "print(took)"
    )
    run = [sys.executable, "-c", code]
    took = [float(subprocess.run(run, check=True, capture_output=True, text=True).stdout) for _ in range(7)]
    assert min(took) < 0.1, took


def test_doctests():
    failed = attempted = 0
    for module in modules():
        found = doctest.testmod(module)
        failed, attempted = failed + found.failed, attempted + found.attempted
    assert failed == 0 and attempted >= 30, (failed, attempted)


def test_the_stub_describes_the_module():
    tree = ast.parse((ROOT / "_rewardanything.pyi").read_text("utf-8"))
    told = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assigned = {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    assert {name for name in vars(native) if not name.startswith("__")} - {"__version__"} == {*told, *assigned} - {"__version__"}
    for name, node in told.items():
        if isinstance(node, ast.FunctionDef):
            parameters = list(inspect.signature(getattr(native, name)).parameters)
            assert parameters == [argument.arg for argument in node.args.args], name
        else:
            methods = {part.name for part in node.body if isinstance(part, ast.FunctionDef)} - {"__new__"}
            assert methods == {part for part in vars(native.Engine) if not part.startswith("__")}
    assert (ROOT / "py.typed").is_file()


def test_everything_public_is_documented():
    for module in modules():
        assert module.__doc__ or module is native, module
        for name in getattr(module, "__all__", []):
            if name in ("__version__", "RewardAnythingManager"):
                continue
            thing = getattr(module, name)
            assert inspect.getdoc(thing) or not (inspect.isclass(thing) or inspect.isfunction(thing)), f"{module.__name__}.{name}"


def test_a_typed_program_runs():
    # The type checker reads the same file (tools/python.sh).
    assert typed.main() == ["brief"] * 4


def test_the_version_is_one():
    from importlib.metadata import version

    assert rewardanything.__version__ == version("rewardanything-rs") == native.__version__
