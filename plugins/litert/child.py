"""`python -m tfgraft.plugins.litert.child`: the process in which models are converted; see `process`."""

from __future__ import annotations

import os
import pickle
import select
import sys

_IDLE = 60.0
"""Seconds without a job after which the process ends: TensorFlow holds some memory in it."""


def main() -> None:
    """Answer jobs from standard input until there are no more: each is a pickle of `sys.path` and one of the job.

    A job is sent when the one before it was answered, so nothing of it is in a buffer while the next is waited for.
    """
    jobs = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the converter prints is no answer
    while select.select([jobs], [], [], _IDLE)[0]:
        try:
            sys.path[:] = pickle.load(jobs)
            job = pickle.load(jobs)
        except EOFError:
            return
        from tfgraft.plugins.litert.convert import convert  # found by the parent's paths

        pickle.dump(convert(job), answers)
        answers.flush()


if __name__ == "__main__":
    main()
