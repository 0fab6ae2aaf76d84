"""Whether a script has the functions that the server calls: it is parsed, and never run."""

import pytest

from epkit.errors import UsageError
from epkit.files.scripts import check_script

TRAP = "raise SystemExit('it was run')\n"
GOOD = {
    "functions": "def init(): ...\ndef run(data): ...\n",
    "coroutines": "async def init(): ...\nasync def run(data): ...\n",
    "imported": "from served import init, run\n",
    "under another name": "from served import start as init, go as run\n",
    "all of a module": "from served import *\n",
    "assigned": "from served import Model\nmodel = Model()\ninit, run = model.open, model.score\n",
    "annotated": "init: object = print\nrun: object = print\n",
    "in a block": "try:\n    from fast import init, run\nexcept ImportError:\n    def init(): ...\n    def run(data): ...\n",
    "under a condition": "import sys\nif sys.version:\n    def init(): ...\nelse:\n    init = print\nwith open('x'):\n    def run(d): ...\n",
    "another encoding": "# -*- coding: latin-1 -*-\nname = 'é'\ndef init(): ...\ndef run(data): ...\n",
}
BAD = {
    "neither": ("x = 1\n", "it has no init() and no run(), which the server calls"),
    "no init": ("def run(data): ...\n", "it has no init(), which the server calls"),
    "inside a class": (
        "class S:\n    def init(self): ...\n    def run(self, data): ...\n",
        "it has no init() and no run()",
    ),
    "inside a function": ("def main():\n    def init(): ...\ndef run(data): ...\n", "it has no init()"),
    "only called": ("init()\nrun(1)\n", "it has no init() and no run()"),
    "Python 2": ("def init(): pass\nprint 'x'\n", "score.py:2: no Python of this version: "),
    "a null": ("def init(): ...\0", "score.py"),
    "deep": ("x = " + "(" * 5000 + ")" * 5000, "score.py"),
    "empty": ("", "it has no init() and no run()"),
}


@pytest.mark.parametrize("script", GOOD.values(), ids=GOOD)
def test_a_script_with_init_and_run_is_taken_and_not_run(tmp_path, script):
    path = tmp_path / "score.py"
    path.write_text(f"{script}{TRAP}", encoding="latin-1" if "latin-1" in script else "utf-8")

    check_script(path, "score.py")


@pytest.mark.parametrize(("script", "said"), BAD.values(), ids=BAD)
def test_a_script_that_lacks_one_is_refused(tmp_path, script, said):
    path = tmp_path / "score.py"
    path.write_text(script)

    with pytest.raises(UsageError) as found:
        check_script(path, "score.py")
    assert said in str(found.value)


def test_a_script_that_is_no_text_of_a_script_is_refused(tmp_path):
    path = tmp_path / "score.py"
    path.write_bytes(b"#" * (5 << 20))

    with pytest.raises(UsageError, match="but a script has 4,194,304 at most"):
        check_script(path, "score.py")
