"""The README's pictures show the page as it is now: the same text, at the same size. Fonts differ by machine."""

import pytest

from tests.page.browsing import PageOpener
from tests.page.pictures import FOLDER, SCENES, SIZE, size_of, take_picture, text_of, with_text

MAX_BYTES = 150_000


@pytest.mark.parametrize("name", SCENES)
async def test_the_pictures_show_what_the_page_shows_now(opener: PageOpener, name: str) -> None:
    stored = (FOLDER / f"{name}.png").read_bytes()
    picture, text = await take_picture(opener, SCENES[name])

    assert text_of(stored) == text, "run: python -m tests.page.pictures"
    assert size_of(stored) == size_of(picture) == SIZE
    assert len(stored) < MAX_BYTES
    assert text_of(with_text(picture, text)) == text


def test_every_stored_picture_is_taken_by_a_scene() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(SCENES)
