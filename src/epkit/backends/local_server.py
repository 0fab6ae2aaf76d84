"""`python -m epkit.backends.local_server`: the former name of `epkit.backends.local.server`, kept for one release.

The supervisor of an endpoint that an earlier epkit deployed starts its servers with this name.
"""

from epkit.backends.local.server import main

if __name__ == "__main__":
    main()
