"""Keys and private directories."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.secrets import KEY_FILE, ensure_master_key, mask, private_dir, read_master_key


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("", "none"),
        ("ab", "… (2 characters)"),
        ("abcd", "a… (4 characters)"),
        ("0123456789", "012… (10 characters)"),
        ("sk-0123456789abcdef", "sk-0… (19 characters)"),
    ],
)
def test_a_mask_shows_at_most_a_third(secret: str, shown: str) -> None:
    assert mask(secret) == shown


def test_a_private_directory_is_its_owners_alone(tmp_path: Path) -> None:
    made = private_dir(tmp_path / "a" / "b")
    assert _mode(made) == 0o700
    made.chmod(0o755)
    assert _mode(private_dir(made)) == 0o700


def test_a_directory_for_everybody_stays_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert _mode(private_dir(tmp_path)) == 0o1777


def test_a_directory_of_others_stays_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "others").mkdir()
    assert _mode(private_dir(tmp_path)) == 0o755
    (tmp_path / "freeaichat.db").touch()
    assert _mode(private_dir(tmp_path)) == 0o700


def test_a_directory_of_another_user_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    uid = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: uid + 1)
    assert _mode(private_dir(tmp_path)) == 0o755


def test_a_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    assert read_master_key(directory) is None

    key, is_new = ensure_master_key(directory)

    assert is_new
    assert key.startswith("sk-")
    assert len(key) > 40
    assert (_mode(directory), _mode(directory / KEY_FILE)) == (0o700, 0o600)
    assert ensure_master_key(directory) == (key, False)
    assert read_master_key(directory) == key


def test_two_directories_have_different_keys(tmp_path: Path) -> None:
    assert ensure_master_key(tmp_path / "a")[0] != ensure_master_key(tmp_path / "b")[0]


def test_a_key_file_left_empty_by_an_interrupted_start_is_filled(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).touch(mode=0o600)
    assert read_master_key(tmp_path) is None
    key, is_new = ensure_master_key(tmp_path)
    assert is_new
    assert key
    assert read_master_key(tmp_path) == key


def test_all_who_ask_at_once_get_one_key(tmp_path: Path) -> None:
    for number in range(20):
        directory = tmp_path / str(number)
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(ensure_master_key, [directory] * 8))
        assert len({key for key, _ in answers}) == 1
        assert [is_new for _, is_new in answers].count(True) == 1


def test_a_directory_that_cannot_be_made_is_the_systems_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        ensure_master_key(tmp_path / "file" / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("content", "message"), [(b"\xff\xfe", "it holds no text"), (b"sk-a\nsk-b\n", "more than one line of text")]
)
def test_a_key_file_without_one_key_is_the_systems_error_and_stays_as_it_is(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    for ask in (read_master_key, ensure_master_key):
        with pytest.raises(OSError, match=message):
            ask(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == content
