"""Makes `python -m epkit` the same as `epkit`."""

from epkit.cli.app import main

main()
