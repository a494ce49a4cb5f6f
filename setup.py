"""What is compiled, where there is a compiler; everything else is in pyproject.toml."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension("tfgraft._gate", ["src/tfgraft/_gate.c"], py_limited_api=True, optional=True),
        Extension("tfgraft.runtime._hot", ["src/tfgraft/runtime/_hot.c"], py_limited_api=True, optional=True),
    ],
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
