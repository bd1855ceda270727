"""``python -m cladewise``."""

from cladewise.cli import main

main()
