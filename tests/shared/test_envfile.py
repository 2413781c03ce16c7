"""What lies where `.env` is looked for: nothing, something else, or a file that cannot be read."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import explain, load


@pytest.mark.parametrize("place", ["missing", "a directory", "a directory/.env", "a file/.env"])
def test_where_there_is_no_file_there_are_no_settings(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a directory").mkdir()
    (tmp_path / "a file").touch()
    monkeypatch.setenv("FREEAICHAT_ENV_FILE", str(tmp_path / place))

    assert load().store == ""


def test_a_file_that_cannot_be_read_is_never_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").symlink_to(tmp_path / ".env")
    monkeypatch.setenv("FREEAICHAT_ENV_FILE", str(tmp_path / ".env"))

    with pytest.raises(ValidationError) as refused:
        load()
    assert explain(refused.value) == f"FREEAICHAT_ENV_FILE: {tmp_path / '.env'} cannot be read: " + (
        "Too many levels of symbolic links"
    )
