#!/usr/bin/env python3
"""Starts, tests and checks Clarion on one machine: `python3 dev.py` tells how. Only the Python it runs on is needed."""

import os
import sys


def main() -> int:
    """Run the command on the command line and return its exit status; an unfit Python or system is told."""
    if not (3, 11) <= sys.version_info < (3, 14):
        sys.exit(
            "Clarion needs Python 3.11, 3.12 or 3.13, and this is {}.{}."
            " Name another one: make run PY=python3.11".format(*sys.version_info)
        )
    if os.name != "posix":
        sys.exit("This runs on Linux and macOS. On Windows use WSL2, or docker compose up.")
    # Only now: what follows is written for the Python we have just made sure of.
    from devstack import commands

    return commands.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
