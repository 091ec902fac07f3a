"""`python -m standalone`: the same as `cro`."""

from cro_analyzer.__main__ import main

if __name__ == "__main__":
    main()
