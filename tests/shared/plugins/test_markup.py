"""Finding a plugin's attributes in malformed HTML."""

import pytest

from shared.plugins.aipkit.page import configs_in
from shared.plugins.markup import elements_in


@pytest.mark.parametrize(
    "markup",
    [
        *("<![endif]-->", "<![if !IE]>", "<![CDATA[ x ]]>", "<![fi]>", "<![ if IE ]>", "<![>", "<!>", "<?php ?>"),
        *("<!-->", "<!--->", "<!---->", "<!-- x --!>", "<!-- -- ><b data-config=x></b>-->", "<!--[if !IE]><!-->"),
    ],
)
def test_odd_markup_before_a_chat_hides_it_as_little_as_in_a_browser(markup: str) -> None:
    html = f"<p>{markup}<div class='chat' data-config='{{&quot;botId&quot;:5}}'></div>"

    assert elements_in(html, ("data-config",)) == [{"class": "chat", "data-config": '{"botId":5}'}]
    assert configs_in(html) == ['{"botId":5}']


@pytest.mark.parametrize("tag", ["<p data-config>", "<p data-config=''>", "<p data-system='x'>", "data-config='x'"])
def test_what_holds_no_configuration_is_passed_over(tag: str) -> None:
    html = f"{tag}<p id=a class data-config=x hidden>"

    assert elements_in(html, ("data-config",)) == [{"data-config": "x"}]
