"""`python -m benchmarks.bench.worker STAGE RESULT < JOB`: the zoo's worker, in a process that starts sooner."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the stage.

    Keras imports scikit-learn, and with it SciPy, wherever they are installed: two seconds of each process for what
    no stage uses.
    """
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    from benchmarks.zoo.worker import main as work

    work()


if __name__ == "__main__":
    main()
