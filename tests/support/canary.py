"""The key that tests use, made to be found: no output of epkit may ever hold it."""

from typing import Final

CANARY: Final = "canary-7f3a91-must-never-be-printed"
