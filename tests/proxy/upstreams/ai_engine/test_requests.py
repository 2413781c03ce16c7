"""The bodies of a turn, against what a real page sent."""

import base64
import json
from dataclasses import replace

import pytest

from proxy.chat.ask import Image
from proxy.upstreams.ai_engine.planning import PlannedTurn
from proxy.upstreams.ai_engine.requests import submit_request, upload_request
from shared.models import AI_ENGINE, Bot, Credentials
from tests.site_checks.ai_engine.recordings import recording

BOT = Bot(id=1, name="B", key="chatbot-resp")
CREDENTIALS = Credentials(
    site="http://h",
    plugin=AI_ENGINE,
    ajax_url="http://h/wp-json",
    page_url="http://h/",
    nonce="5c95006f2d",
    session_id="6b0a3c0c65f9a",
    post_id=101,
    source="visit",
    captured_at=1.0,
    nonce_checked_at=1.0,
)
PLANNED = PlannedTurn((("user", "a"), ("assistant", "b")), "Hello 世界 😀 <b>x</b>", (), 0, 0)


def test_the_body_has_the_recorded_keys_and_no_other() -> None:
    recorded = json.loads(recording("10b-browser-submit-1.http").request_body)
    body = json.loads(submit_request(PLANNED, BOT, CREDENTIALS, chat_id="rxsj641opyn", files=[]).body)

    assert list(body) == list(recorded)
    same = set(recorded) - {"messages"}
    assert {key: body[key] for key in same} == {key: recorded[key] for key in same}
    assert body["messages"] == [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    ("files", "one", "many"), [([], None, None), (["a"], "a", None), (["a", "b"], None, ["a", "b"])]
)
def test_files_are_named_as_the_page_does(files: list[str], one: str | None, many: list[str] | None) -> None:
    body = json.loads(submit_request(PLANNED, BOT, CREDENTIALS, chat_id="x", files=files).body)

    assert (body["newFileId"], body["newFileIds"]) == (one, many)


def test_what_the_page_does_not_have_is_null_as_there() -> None:
    bare = replace(CREDENTIALS, session_id="", post_id=0)
    custom = Bot(id=1, name="B", custom_key="my-bot", streams=False)
    request = submit_request(PLANNED, custom, bare, chat_id="x", files=[])
    body = json.loads(request.body)

    assert [body[key] for key in ("botId", "customId", "session", "contextId")] == [None, "my-bot", None, None]
    assert body["stream"] is False
    assert "Accept" not in request.headers


def test_a_picture_is_uploaded_in_the_recorded_form() -> None:
    body = recording("12-browser-upload.http")
    boundary = "----WebKitFormBoundaryvkWVkHrT37hTYVBE"
    picture = body.request_body.partition(b"image/png\r\n\r\n")[2].partition(f"\r\n--{boundary}".encode())[0]
    upload = upload_request(Image("image/png", base64.b64encode(picture).decode()), CREDENTIALS, boundary)

    assert upload.body == body.request_body.replace(b"a.png", b"image.png")
    assert upload.headers["Content-Type"].endswith(boundary)
    jpeg = upload_request(Image("image/jpeg", "QUJD"), CREDENTIALS, "b")
    assert b'filename="image.jpg"' in jpeg.body  # WordPress minds the ending
