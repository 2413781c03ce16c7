"""Why a page without a chat may have none."""

import pytest

from harvester.visit.addresses import Link
from harvester.visit.obstacles import click_hint, wall
from harvester.visit.tab import Signs
from tests.harvester.fake_tab import SITE, page

MANY_LINKS = [Link(f"/{number}/", "Page") for number in range(20)]


def signs(text: str = "", *buttons: str, asks_password: bool = False) -> Signs:
    return Signs(text=text, buttons=list(buttons), asks_password=asks_password)


@pytest.mark.parametrize(
    "text",
    [
        "Are you over 18?",
        "I am 21 or older",
        "You must be at least 18 years old to enter",
        "Please verify your age",
        "Sind Sie über 18 Jahre alt?",
        "您必须年满18周岁",
    ],
)
def test_an_age_gate_is_known_by_its_question(text: str) -> None:
    assert "confirm their age" in str(wall(page(), signs(text, "Yes", "No")))


@pytest.mark.parametrize(
    "text", ["Welcome to our 18 models", "Our assistant", f"For those over 18. {'Much to read. ' * 200}"]
)
def test_other_texts_are_no_age_gates(text: str) -> None:
    assert wall(page(), signs(text, "OK")) is None


def test_a_login_wall_is_known_by_its_field_and_what_is_said_around_it() -> None:
    by_place = page(f"{SITE}/wp-login.php", links=MANY_LINKS)
    by_text = page()

    assert "log in" in str(wall(by_place, signs(asks_password=True)))
    assert "log in" in str(wall(by_text, signs("Members, sign in here", asks_password=True)))
    assert "asks for a password" in str(wall(page(), signs("This content is protected", asks_password=True)))


def test_a_small_form_to_log_in_on_a_page_of_its_own_contents_is_no_wall() -> None:
    assert wall(page(links=MANY_LINKS), signs(f"Log in {'Much to read. ' * 200}", asks_password=True)) is None
    assert wall(page(), signs("Log in")) is None


def test_a_button_that_speaks_of_a_chat_is_named() -> None:
    assert '"Chat with us"' in str(click_hint(signs("", "Menu", " Chat\n with us ")))
    assert click_hint(signs("", "Menu", "OK")) is None
