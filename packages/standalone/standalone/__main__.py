"""`python -m standalone`: the same as `cro`."""

from standalone.cli import main

if __name__ == "__main__":
    main()
