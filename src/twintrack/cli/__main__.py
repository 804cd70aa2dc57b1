"""`python -m twintrack.cli`."""

from twintrack.cli import main

if __name__ == "__main__":
    main()
