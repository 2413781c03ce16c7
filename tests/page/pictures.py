"""The README's pictures of the page, each with the text that it shows kept inside, so that a test finds old ones.

`python -m tests.page.pictures` takes them anew.
"""

import asyncio
import json
import struct
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import async_playwright, expect

from shared.browsers import find_browser
from tests.page.browsing import PageOpener
from tests.site import SimulatedSite

FOLDER = Path(__file__).parent / "pictures"
SIZE = (1180, 720)
MODEL = "gpt-4o-mini-helper"
SHOWN = b"Shown"  # what the text is called in the picture
PORTLESS = """
() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        node.data = node.data.replace(/127\\.0\\.0\\.1:\\d+/g, 'chat.example');
    }
}
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A conversation, and the titles of the ones before."""

    locale: str
    question: str
    answer: str
    titles: tuple[str, ...]


ENGLISH = """Sort the sizes that `du` tells:

```sh
du -ah . | sort -rh | head -n 10
```

| part | does |
|---|---|
| `du -ah .` | tells the size of every file and folder |
| `sort -rh` | puts the largest first |
| `head -n 10` | keeps **ten** of them |"""
CHINESE = """把 `du` 给出的大小排序即可：

```sh
du -ah . | sort -rh | head -n 10
```

| 部分 | 作用 |
|---|---|
| `du -ah .` | 列出每个文件和文件夹的大小 |
| `sort -rh` | 最大的排在最前 |
| `head -n 10` | 只保留**十个** |"""
SCENES = {
    "chat-en": Scene(
        "en-US",
        "Which files in this folder are the largest?",
        ENGLISH,
        ("A letter to the landlord about the heating", "What is a nonce?", "Packing list for a week in the mountains"),
    ),
    "chat-zh": Scene(
        "zh-CN",
        "这个文件夹里哪些文件最大？",
        CHINESE,
        ("写一封信给房东，说明暖气从去年冬天起就不工作", "什么是 nonce？", "在山里住一周要带些什么"),
    ),
}


async def take_picture(opener: PageOpener, scene: Scene) -> tuple[bytes, str]:
    """The picture of *scene* as it looks now, and the text that it shows."""
    opened = await opener.open(size=SIZE, locale=scene.locale)
    page, http, url = opened.page, opened.proxy.http, opened.proxy.url
    turns = (("user", scene.question), ("assistant", scene.answer))
    items = [{"type": "message", "role": role, "content": text} for role, text in turns]
    async with http.post(f"{url}/v1/conversations", json={"items": items}) as response:
        name = (await response.json())["id"]
    ids = (name, *(f"conv_{number}" for number, _ in enumerate(scene.titles)))
    titles = (scene.question, *scene.titles)
    entries = [{"id": id, "title": title, "model": MODEL, "broken": {}} for id, title in zip(ids, titles, strict=True)]
    script = "entries => localStorage.setItem('freeaichat.conversations', entries)"
    await page.evaluate(script, json.dumps(entries))
    await page.goto(f"{url}/#/chat/{name}")
    await page.reload()
    await expect(page.locator(".turn.assistant table")).to_be_visible()
    await expect(page.locator(".abilities")).not_to_be_empty()
    await page.evaluate(PORTLESS)
    await page.evaluate("document.activeElement.blur()")  # a blinking cursor
    picture = await page.screenshot()
    return picture, " ".join((await page.evaluate("document.body.innerText")).split())


def with_text(picture: bytes, text: str) -> bytes:
    """The PNG *picture* with *text* in a chunk of its own before the last one."""
    chunk = b"iTXt" + SHOWN + b"\0\0\0\0\0" + text.encode()
    end = len(picture) - 12
    return (
        picture[:end] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + picture[end:]
    )


def text_of(picture: bytes) -> str:
    """The text in it; empty where there is none."""
    offset = 8
    while offset < len(picture):
        (length,) = struct.unpack_from(">I", picture, offset)
        chunk = picture[offset + 4 : offset + 8 + length]
        if chunk.startswith(b"iTXt" + SHOWN):
            return chunk[4 + len(SHOWN) + 5 :].decode()
        offset += 12 + length
    return ""


def size_of(picture: bytes) -> tuple[int, int]:
    """Its width and height."""
    width, height = struct.unpack_from(">II", picture, 16)
    return width, height


async def _take_all() -> None:
    async with SimulatedSite() as site, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser("").path)
        with tempfile.TemporaryDirectory() as directory:
            async with PageOpener(browser, site, Path(directory)) as opener:
                for name, scene in SCENES.items():
                    picture, text = await take_picture(opener, scene)
                    (FOLDER / f"{name}.png").write_bytes(with_text(picture, text))
        await browser.close()


if __name__ == "__main__":
    asyncio.run(_take_all())
