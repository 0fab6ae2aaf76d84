"""`python -m epkit` is `epkit`."""

from epkit.cli.app import main

main()
