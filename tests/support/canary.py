"""The key that tests use; it is easy to find, and no output of epkit may contain it."""

from typing import Final

CANARY: Final = "canary-7f3a91-must-never-be-printed"
