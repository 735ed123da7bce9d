"""``python -m nonmember``."""

from nonmember.cli import main

main()
