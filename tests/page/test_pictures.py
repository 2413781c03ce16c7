"""The README's pictures show the page as it is now: the same text, at the same size. Fonts differ by machine."""

import pytest

from tests.page.browsing import Opener
from tests.page.pictures import FOLDER, SCENES, SIZE, size_of, taken, text_of, with_text

MAX_BYTES = 150_000


@pytest.mark.parametrize("name", SCENES)
async def test_the_pictures_show_what_the_page_shows_now(opener: Opener, name: str) -> None:
    kept = (FOLDER / f"{name}.png").read_bytes()
    picture, text = await taken(opener, SCENES[name])

    assert text_of(kept) == text, "run: python -m tests.page.pictures"
    assert size_of(kept) == size_of(picture) == SIZE
    assert len(kept) < MAX_BYTES
    assert text_of(with_text(picture, text)) == text


def test_there_is_no_picture_that_nobody_takes() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(SCENES)
