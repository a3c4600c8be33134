"""`python -m selulint`."""

from selulint.cli import main

if __name__ == "__main__":
    main()
