"""Entry point of ``python -m cladewise``."""

from cladewise.cli import main

if __name__ == "__main__":
    main()
