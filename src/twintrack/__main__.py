"""`python -m twintrack`."""

from twintrack.cli import main

if __name__ == "__main__":
    main()
