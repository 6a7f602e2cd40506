"""Loads a script of tools/ or third_party/, whose name has no .py, as a module."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def load(script):
    sys.dont_write_bytecode = True  # the source folders stay as they are
    name = Path(script).name.replace("-", "_")
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / script))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module
