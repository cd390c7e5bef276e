"""`python -m seedwise` is the command `seedwise`."""

from seedwise.cli import main

if __name__ == "__main__":
    main()
