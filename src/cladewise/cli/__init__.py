"""The command line: parse, call, print."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    from cladewise.cli.app import app
    from cladewise.errors import InputError, MissingExtraError

    try:
        app()
    except (InputError, MissingExtraError) as error:
        print(f"cladewise: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("cladewise: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        sys.exit(0)
