"""A service of BentoML; served as `bentoml serve` does."""

import os
import sys

os.environ["BENTOML_HOME"] = os.path.join(os.getcwd(), "home")

from bentoml_cli.serve import build_serve_command  # after the variable, which it reads

build_serve_command()(["serve", "service:Scorer", "--host", "127.0.0.1", "--port", sys.argv[1]])
