"""Say whether a wheel has what it must have: a clone without symlinks would build one without the linked packages."""

import shutil
import sys
import zipfile

WANTED = (
    "tfgraft/__init__.py",
    "tfgraft/py.typed",
    "tfgraft/passes/__init__.py",
    "tfgraft/passes/pipeline.py",
    "tfgraft/registry/__init__.py",
    "tfgraft/registry/registry.py",
    "tfgraft/plugins/__init__.py",
    "tfgraft/plugins/onnxruntime/__init__.py",
    "tfgraft/converters/__init__.py",
    "tfgraft/converters/onnx/__init__.py",
    "tfgraft/converters/decompositions/__init__.py",
    "tfgraft/graph/__init__.py",
    "tfgraft/runtime/__init__.py",
)
UNWANTED = ("tests/", "benchmarks/", "examples/", "passes/", "registry/", "plugins/", "converters/", "src/")

(path,) = sys.argv[1:]
with zipfile.ZipFile(path) as wheel:
    names = set(wheel.namelist())
problems = [f"lacks {name}" for name in WANTED if name not in names]
problems += [f"has {name}" for name in sorted(names) if name.startswith(UNWANTED) or "__pycache__" in name]
compiled = ("tfgraft/_gate.abi3.so", "tfgraft/runtime/_hot.abi3.so") if any(map(shutil.which, ("cc", "gcc"))) else ()
problems += [f"lacks {name}, though there is a compiler" for name in compiled if name not in names]
if not any(name.endswith("licenses/LICENSE") for name in names):
    problems.append("lacks the licence")
if problems:
    sys.exit("error: the wheel " + ", ".join(problems))
sys.stdout.write(f"{len(names)} files, as they should be\n")
