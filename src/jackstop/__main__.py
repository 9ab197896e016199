"""`python -m jackstop` is the command `jackstop`."""

from jackstop.cli.main import main

if __name__ == "__main__":
    main()
