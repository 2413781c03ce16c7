"""What pages do to their visitors' browsers: scripts that never end, questions, downloads, allocations."""

DOWNLOAD_PATH = "/report.bin"
_GUARDED = """window.addEventListener("beforeunload", (event) => {
  event.preventDefault();
  event.returnValue = "Leave?";
});
"""
_SCRIPTS = {
    "busy": "for (;;) {}",
    "dialogs": f'{_GUARDED}alert("Welcome!");',
    "dialog_storm": """setInterval(() => { alert("One"); confirm("Two"); prompt("Three"); }, 0);""",
    "dialog_loop": """for (;;) { alert("One"); confirm("Two"); prompt("Three"); }""",
    "guarded_links": f"{_GUARDED}window.onpagehide = () => alert('Bye');",
    "reloads": "location.reload();",
    "offers_file": 'setInterval(() => { location.href = "{base}' + DOWNLOAD_PATH + '"; }, 100);',
    "memory": "const kept = []; setInterval(() => { kept.push(new Uint8Array(32 << 20).fill(1)); }, 20);",
}
_CAPTCHA = """<h1>One more step</h1><p>Please confirm that you are not a robot.</p>
<form method="post"><div class="h-captcha" data-sitekey="10000000-ffff-ffff-ffff-000000000001"></div></form>
<iframe src="https://newassets.hcaptcha.com/captcha/v1/static/hcaptcha.html" title="Checkbox"></iframe>
<script src="https://js.hcaptcha.com/1/api.js" async defer></script>
"""
WITH_CHATS = frozenset({"dialogs", "dialog_storm", "offers_file"})  # the chats are in these pages all the same
WITH_LINK = frozenset({"guarded_links"})  # to the page that has the chat


def bad_markup(kind: str, base_path: str) -> str:
    """What makes a page of this kind bad, "" for any other kind."""
    if kind == "captcha":
        return _CAPTCHA
    script = _SCRIPTS.get(kind)
    return "" if script is None else f"<script>{script.replace('{base}', base_path)}</script>"
