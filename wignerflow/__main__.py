"""The command line: ``python -m wignerflow``, and ``wignerflow``."""

import sys


def main() -> int:
    """Run the command line and return its exit code, interrupted imports included."""
    try:
        from .cli import main as command

        return command()
    except KeyboardInterrupt:
        print("wignerflow: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
