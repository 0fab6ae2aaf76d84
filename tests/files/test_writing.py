"""Files are written completely or not at all, and links, devices and modes in their place are respected."""

import os
import stat
import threading

import pytest

from epkit.files.writing import NewFile, replacing


def test_what_was_there_is_there_until_all_of_the_new_is(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")

        assert b"old" == path.read_bytes()
    assert b"new" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert b"old" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_a_file_that_takes_its_place_early_goes_on_growing(tmp_path):
    path = tmp_path / "x"
    with NewFile(path) as file:
        file.write(b"a")
        file.publish()
        file.write(b"b")

        assert b"ab" == path.read_bytes()
    assert b"ab" == path.read_bytes()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_permissions_of_a_file_stay(tmp_path, mode):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(mode)
    with replacing(path) as file:
        file.write(b"new")

    assert mode == stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_permissions_that_the_user_gives_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "x"):
            pass
    finally:
        os.umask(before)

    assert 0o640 == stat.S_IMODE((tmp_path / "x").stat().st_mode)


def test_a_link_stays_one(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "x", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with replacing(link) as file:
        file.write(b"new")

    assert link.is_symlink()
    assert b"new" == target.read_bytes()


def test_a_fifo_is_written_to(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    found = []
    reader = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
    reader.start()
    with replacing(fifo) as file:
        file.write(b"new")
    reader.join(10)

    assert [b"new"] == found
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_device_is_written_to():
    with replacing("/dev/null") as file:
        file.write(b"new")

    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path):
    path = tmp_path / ("n" * 255)
    with replacing(path) as file:
        file.write(b"new")

    assert b"new" == path.read_bytes()
