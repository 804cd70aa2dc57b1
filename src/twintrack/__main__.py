"""`twintrack`, and `python -m twintrack`."""

import sys


def start() -> None:
    """Run the command line. Ctrl-C while it is still being loaded ends it as it does later: silently, with code 130."""
    try:
        from twintrack.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    main()


if __name__ == "__main__":
    start()
