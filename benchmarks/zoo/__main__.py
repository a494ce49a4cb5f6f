"""`python -m benchmarks.zoo`."""

import sys

from benchmarks.zoo.cli import main

sys.exit(main())
