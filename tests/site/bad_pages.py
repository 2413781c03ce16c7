"""Pages that hurt browsers: endless scripts, dialogs, downloads, allocations."""

DOWNLOAD_PATH = "/report.bin"
WINDOW_PATH = "/window/"  # leads on to /window/slow/, whose answer takes its time
_GUARDED = """window.addEventListener("beforeunload", (event) => {
  event.preventDefault();
  event.returnValue = "Leave?";
});
"""
_CLOBBERING = "".join(
    f'<form name="{name}"><input name="getAttribute"><input name="textContent"></form>'
    for name in ("title", "readyState", "scripts", "documentElement", "body", "querySelectorAll", "scrollingElement")
)
_SHADOWING = "var Document = 1, Element = 2, Storage = 3; function Node() {} function HTMLElement() {}"
_FILLING = """localStorage.setItem("cache", "\\u89c6".repeat(4 << 20));
for (let number = 0; number < 12000; number += 1) localStorage.setItem(`a-${number}`, "x".repeat(40));
const guest = localStorage.getItem("aipkit_guest_uuid");
if (guest) {
  localStorage.removeItem("aipkit_guest_uuid");
  localStorage.setItem("aipkit_guest_uuid", guest);
}
try { for (let number = 0; ; number += 1) localStorage.setItem(`last-${number}`, "x".repeat(10000)); } catch {}
try { for (let number = 0; ; number += 1) localStorage.setItem(`rest-${number}`, ""); } catch {}
"""
_SCRIPTS = {
    "busy": "for (;;) {}",
    "dialogs": f'{_GUARDED}alert("Welcome!");',
    "dialog_storm": """setInterval(() => { alert("One"); confirm("Two"); prompt("Three"); }, 0);""",
    "dialog_loop": """for (;;) { alert("One"); confirm("Two"); prompt("Three"); }""",
    "guarded_links": f"{_GUARDED}window.onpagehide = () => alert('Bye');",
    "reloads": "location.reload();",
    "replaced": "Object.keys = undefined;",
    "offers_file": 'setInterval(() => { location.href = "{base}' + DOWNLOAD_PATH + '"; }, 100);',
    "popups": "const more = () => window.open('{base}" + WINDOW_PATH + "'); setInterval(more, 100); more();",
    "full_storage": _FILLING,
    "memory": "const kept = []; setInterval(() => { kept.push(new Uint8Array(32 << 20).fill(1)); }, 20);",
}
_CAPTCHA = """<h1>One more step</h1><p>Please confirm that you are not a robot.</p>
<form method="post"><div class="h-captcha" data-sitekey="10000000-ffff-ffff-ffff-000000000001"></div></form>
<iframe src="https://newassets.hcaptcha.com/captcha/v1/static/hcaptcha.html" title="Checkbox"></iframe>
<script src="https://js.hcaptcha.com/1/api.js" async defer></script>
"""
WITH_CHATS = frozenset(  # the chats are in these pages all the same
    {"dialogs", "dialog_storm", "offers_file", "popups", "clobbered", "full_storage"}
)
WITH_LINK = frozenset({"guarded_links"})  # to the page that has the chat


def bad_markup(kind: str, base_path: str) -> str:
    """What makes a page of this kind bad, "" for any other kind."""
    if kind == "captcha":
        return _CAPTCHA
    if kind == "clobbered":
        return f"{_CLOBBERING}<script>{_SHADOWING}</script>"
    script = _SCRIPTS.get(kind)
    return "" if script is None else f"<script>{script.replace('{base}', base_path)}</script>"
