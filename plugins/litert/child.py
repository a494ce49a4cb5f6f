"""`python -m tfgraft.plugins.litert.child`: the process in which models are converted; see `process`."""

from __future__ import annotations

import os
import pickle
import select
import sys

_IDLE = 60.0
"""Seconds without a job after which the process ends: TensorFlow holds some memory in it."""


def main() -> None:
    """Answer jobs from standard input, one pickle each, until there are no more; the first pickle is `sys.path`."""
    jobs = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the converter prints is no answer
    sys.path[:] = pickle.load(jobs)
    from tfgraft.plugins.litert.convert import convert

    while select.select([jobs], [], [], _IDLE)[0]:
        try:
            job = pickle.load(jobs)
        except EOFError:
            return
        pickle.dump(convert(job), answers)
        answers.flush()


if __name__ == "__main__":
    main()
