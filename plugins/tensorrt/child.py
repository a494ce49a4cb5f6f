"""`python -m tfgraft.plugins.tensorrt.child JOB RESULT`: the process in which an isolated build runs."""

from __future__ import annotations

import sys

from tfgraft.plugins.tensorrt.isolate import work

if __name__ == "__main__":
    work(*sys.argv[1:])
