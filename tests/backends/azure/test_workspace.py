"""Azure's `config.json` is searched for in parent directories, as by its SDKs; another user's file is refused."""

import json
import os

import pytest

from epkit.backends.azure.workspace import find_workspace
from epkit.errors import UsageError

CONFIG = json.dumps({"subscription_id": "s", "resource_group": "g", "workspace_name": "ws"})


def test_the_nearest_config_upward_is_taken(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "config.json").write_text(CONFIG)

    assert "ws" == find_workspace(tmp_path / "a", expected=None).name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other users")
def test_another_users_config_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    file = tmp_path / "config.json"
    file.write_text(CONFIG)
    os.chown(file, 54_321, -1)

    with pytest.raises(UsageError) as caught:
        find_workspace(tmp_path / "a", expected=None)

    said = f"{file}: not read, because it belongs to user 54321: if you trust it, copy it into a directory of yours"
    assert said == str(caught.value)
