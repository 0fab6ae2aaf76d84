"""Azure's genuine server, with the named scoring script."""

import os
import sys

os.environ.update(AZUREML_ENTRY_SCRIPT=f"{sys.argv[2]}.py", AML_APP_ROOT=os.getcwd())
gunicorn = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "4", "-w", "1", "--no-control-socket"]
gunicorn += ["-b", f"127.0.0.1:{sys.argv[1]}", "--log-level", "critical"]
os.execv(sys.executable, [*gunicorn, "azureml_inference_server_http.server.entry:app"])
