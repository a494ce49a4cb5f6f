"""`python -m tfgraft` is the command `tfgraft`."""

import sys

from tfgraft.cli import main

if __name__ == "__main__":
    sys.exit(main())
