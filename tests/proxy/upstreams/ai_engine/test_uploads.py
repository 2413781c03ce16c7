"""Pictures that the site's PHP does not take."""

import base64
from typing import Any

import pytest

from proxy.upstreams.ai_engine.refusals import from_upload
from proxy.upstreams.site.refusals import RefusalKind
from tests.pictures import PNG
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.ai_engine.engine import VISION, chat
from tests.site_ai_engine import SimulatedAiEngine

LIMIT = 2 * 1024 * 1024
CRASHED = b"<p>There has been a critical error on this website.</p>"


def look_at(picture: bytes) -> dict[str, Any]:
    url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


async def test_a_picture_that_is_larger_than_php_takes_is_told_as_that_and_leaves_the_site_well(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    large = look_at(PNG + bytes(LIMIT))
    answers = [await chat(engine_proxy, large, model=VISION) for _ in range(6)]
    after = await chat(engine_proxy, look_at(PNG), model=VISION)

    assert {(answer.status, answer.code) for answer in answers} == {(413, "request_too_large")}
    assert "upload_max_filesize" in answers[0].body["error"]["message"]
    assert "images=1" in after.text
    assert not engine.requests_to("chats/submit")[1:]


@pytest.mark.parametrize(
    ("status", "body", "size", "kind"),
    [
        (500, CRASHED, LIMIT + 1, RefusalKind.TOO_LARGE),
        (500, b"", LIMIT + 1, RefusalKind.TOO_LARGE),
        (500, CRASHED, LIMIT, RefusalKind.UPSTREAM),
        (502, CRASHED, LIMIT + 1, RefusalKind.UPSTREAM),
        (500, b'{"success":false,"message":"Invalid file type."}', LIMIT + 1, RefusalKind.IMAGE),
        (403, b'{"code":"rest_cookie_invalid_nonce"}', LIMIT + 1, RefusalKind.NONCE),
    ],
)
def test_a_failed_upload_is_of_the_picture_only_where_that_is_large(
    status: int, body: bytes, size: int, kind: RefusalKind
) -> None:
    assert from_upload(status, {"Content-Type": "text/html"}, body, size=size).kind is kind
