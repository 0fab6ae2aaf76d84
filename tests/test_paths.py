"""A name from outside leads to a file in its directory, or is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.errors import UsageError
from epkit.paths import inside


def refusal(directory: Path, name: str, parts: int = 1) -> str:
    with pytest.raises(UsageError) as caught:
        inside(directory, name, where="the server", parts=parts)
    message = str(caught.value)
    assert 1 == len(message.splitlines())
    return message


@pytest.mark.parametrize("name", ["a", "a.json", "..a", "a..", "...", "ä b", "-", "~", "~root", "%2e%2e", "ab:c", "C"])
def test_a_plain_name_is_joined(tmp_path, name):
    assert tmp_path / name == inside(tmp_path, name, where="")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        (".", 'has a part that is empty, "." or ".."'),
        ("..", 'has a part that is empty, "." or ".."'),
        ("a/b", "holds a slash"),
        ("/etc/passwd", "holds a slash"),
        ("..\\a", "is a path of Windows"),
        ("C:a", "is a path of Windows"),
        ("C:", "is a path of Windows"),
        ("a\0b", "holds a control character"),
        ("a\nb", "holds a control character"),
        ("a\x9bb", "holds a control character"),
        ("a" * 256, "has more than 255 bytes"),
        ("ä" * 128, "has more than 255 bytes"),
    ],
)
def test_what_is_no_plain_name_is_refused(tmp_path, name, why):
    message = refusal(tmp_path, name)

    assert message.startswith('the server: "')
    assert message.endswith(f'" is not accepted as the name of a file: it {why}')


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a/../b", 'has a part that is empty, "." or ".."'),
        ("a/./b", 'has a part that is empty, "." or ".."'),
        ("a//b", 'has a part that is empty, "." or ".."'),
        ("a/", 'has a part that is empty, "." or ".."'),
        ("/a", "is absolute"),
        ("a/b/c/d", "has more than 3 parts"),
        ("a/C:\\b", "is a path of Windows"),
        ("a/" + "b" * 256, "has more than 255 bytes"),
    ],
)
def test_a_relative_path_is_as_good_as_its_parts(tmp_path, name, why):
    assert refusal(tmp_path, name, parts=3).endswith(f'" is not accepted as the name of a file: it {why}')
    assert tmp_path / "a" / "b" / "c" == inside(tmp_path, "a/b/c", where="", parts=3)


def test_a_link_is_followed_inside_only(tmp_path):
    directory = tmp_path / "in"
    (directory / "deep").mkdir(parents=True)
    (directory / "there").symlink_to(directory / "deep")
    (directory / "out").symlink_to(tmp_path)
    (directory / "nowhere").symlink_to("/no/such/place")

    assert directory / "there" / "x" == inside(directory, "there/x", where="", parts=2)
    for name in ("out", "out/x", "nowhere"):
        assert f'"{name}" is not accepted as the name of a file: it leads out of {directory}' in refusal(
            directory, name, parts=2
        )


@given(name=st.text(alphabet="a./\\:\0\n~%é", max_size=12), parts=st.integers(1, 4))
def test_whatever_is_taken_lies_in_the_directory(name, parts):
    directory = Path("/no/such/directory")
    try:
        path = inside(directory, name, where="", parts=parts)
    except UsageError:
        return

    assert directory in path.resolve().parents
