"""The switches of the simulated site. All may be changed while it runs; each has one meaning."""

from dataclasses import dataclass, field, fields
from typing import Any

PAGES = (
    "inline",  # the chats are in the page
    "popup",  # the attribute sits on the popup's outer wrapper
    "late",  # a script adds the chats after `late_ms`
    "blank",  # no chat and no link
    "links",  # no chat, but links; /chat/ has it
    "bare_form",  # no data-config; a form whose script sends the requests itself
    "challenge",  # a bot check instead of the page
    "captcha",  # the site's own page, with a captcha in place of the chat
    "endless_blank",  # the page never finishes, and the chat never comes
    "endless_chat",  # the page never finishes, but the chat is there
    "download",  # the address gives a file
    "redirects",  # the address leads to itself
    "reloads",  # the page loads itself anew for ever
    "offers_file",  # the chats are there, and a script goes on giving a file
    "busy",  # a script that never ends
    "memory",  # a script that allocates for ever
    "dialogs",  # alert() while loading, and a question before leaving
    "dialog_storm",  # the chats are there, and alert(), confirm() and prompt() for ever
    "dialog_loop",  # alert(), confirm() and prompt() in a loop that never lets the page load
    "guarded_links",  # as "links", with a question before leaving
    "late_link",  # as "late", with a link to /chat/, which has another chat
    "turnstile_late",  # as "late", with a Turnstile for a form of the page's own
    "aws_waf",  # checks of visitors instead of the page
    "anubis",
    "vercel",
    "imunify",
    "frame",  # the chats are in a frame of the same site
    "frame_srcdoc",  # ... that the page wrote itself
    "frame_lazy",  # ... that is loaded once the visitor comes near it
    "frame_clicked",  # ... that is loaded after a click
    "scrolled",  # a script adds the chats once the visitor scrolls
    "wheeled",  # ... once the wheel is turned; the page is too short to scroll
    "shadow",  # ... in an open shadow root
    "clicked",  # ... after a click
    "detached",  # the chats are in a page builder's popup, whose script takes them away until a click
    "template",  # ... in a template that a click copies
    "elsewhere_script",  # a script from another host adds the chats
    "elsewhere_assets",  # ... with the path of the site's own assets
    "moved",  # the site is on another host now; a script adds the chats there
    "refresh",  # a meta tag leads to /chat/ after a second
    "refresh_header",  # a header does
    "refresh_far",  # a meta tag leads to /framed/ after an hour
    "forerunner",  # the chat is of the plugin that was before version 2.3 (PROTOCOL 13)
    "age_gate",  # a question for the visitor's age
    "login",  # leads to a page with a form to log in
    "popups",  # the chats are there, and windows that open for ever
    "clobbered",  # the chats are there, and forms and functions that take the names of what the document has
    "replaced",  # a script takes away what reading a page takes
    "full_storage",  # the chats are there, and a script fills the local storage
    "covered",  # the button that opens a chat without data-config has a layer over it
)


@dataclass
class Behaviour:
    """How the site behaves. Times are in seconds unless the name says otherwise."""

    version: str = "2.4.71"  # of the plugin (PROTOCOL 13)

    # The page at / (the other pages always have their chats, unless `challenge_ajax` covers the whole site).
    page: str = "inline"
    page_status: int = 200  # anything else: an error page with this status
    page_delay: float = 0.0  # before the page's headers
    page_retry_after: str = ""  # the header of that name, with `page_status`
    late_ms: int = 500
    page_cookies: list[str] = field(default_factory=list)  # whole Set-Cookie values, sent as they are
    makes_guest_id: bool = True  # the page's script keeps aipkit_guest_uuid in local storage
    stale_page_nonce: bool = False  # as from a page cache: the nonce in the page is long expired
    cache_minds_queries: bool = False  # ... but not in that of an address with a query, which goes past the cache
    rest_root: str = "/wp-json/"  # below the site's root; "/index.php?rest_route=/" where links are plain
    names_rest: bool = True  # its pages say where that is
    rest_pages: bool = False  # core REST gives pages by their id, with a nonce of now
    page_nonce: str | None = None  # instead of the real one
    extra_resources: bool = False  # images, fonts, media, styles, and a script from another port
    hanging_script: bool = False  # a script tag in the page whose request is never answered

    # Nonces (PROTOCOL 3)
    nonce_life: float = 86400.0
    nonce_action: bool = True  # False: the action is not there (400, `0`)
    cookie_bound_nonce: bool = False  # the nonce belongs to a cookie that the page sets, and fails without it

    # admin-ajax
    challenge_ajax: bool = False  # a bot check stands before admin-ajax too
    challenge_kind: str = "challenge"  # which, by its name in `PAGES`
    ajax_status: int = 0  # 429, 500, 502 ...: admin-ajax answers this instead; 0: it works
    ajax_status_action: str = ""  # ... only for this action
    ajax_status_times: int = -1  # ... only so many times; -1: always
    ajax_leads_to: str = ""  # admin-ajax leads to this address, as where a site has moved
    front_action: str = ""  # the check and that address stand before this action alone
    has_plugin: bool = True  # False: its actions are not there (400, `0`)
    ajax_delay: float = 0.0
    compresses: bool = False  # all its answers, whatever was asked for
    json_prefix: str = ""  # what other plugins' files write before its JSON: a byte order mark, blank lines
    firewall_words: list[str] = field(default_factory=list)  # a server in front refuses messages that hold one
    firewall_status: int = 403
    firewall_kind: str = ""  # with one of the pages in `challenge.py` in place of the server's own
    cache_key_seconds: float = 60.0
    post_max_size: int = 64 << 20  # bytes; PHP drops a larger body
    max_allowed_packet: int = 16 << 20  # bytes; the database refuses a larger message
    body_limit: int = 1 << 30  # bytes; the web server refuses a larger body

    # Checks before the model (PROTOCOL 7)
    banned_words: list[str] = field(default_factory=list)
    banned_ips: list[str] = field(default_factory=list)
    flagged_words: list[str] = field(default_factory=list)  # OpenAI moderation
    rate_limit: int = 0  # turns in each minute from one address; 0: no limit
    stream_error: str = ""  # refuse with this text, right before the message is logged
    search_error: str = ""  # the search in the bot's knowledge fails with this text, after that (2.4.97)
    language: str = "en"  # "de", "zh": the site's error texts are German or Chinese
    quota_text: str = "You have reached your quota for this period."

    # What an operator's triggers do (PROTOCOL 5)
    trigger_reply: str = ""  # this is said before the model answers
    trigger_form: bool = False  # a form is shown in place of an answer

    # The model
    scripts: dict[str, list[Any]] = field(default_factory=dict)  # what it does as an agent (`agent/playing.py`)
    willing: bool = False  # without a script, it calls a tool wherever it may (`agent/willing.py`)

    # The stream
    first_delta_delay: float = 0.0
    delta_delay: float = 0.0  # between pieces, unless the message says [[delay:S]]
    upstream_timeout: float = 120.0  # of the whole call to the model
    gateway_status: int = 0  # a server in front gives up with this status, after the plugin has logged the message
    stray_delta: str = ""  # text that comes before everything else, as nothing in the plugin sends it
    whole_at_end: bool = False  # the host has no PHP cURL: all of an answer in one read (since 2.4.97)
    drop_done: bool = False  # the stream ends without `done`
    cut_connection_after: int = -1  # break the TCP connection after so many deltas; -1: never

    def is_since(self, version: str) -> bool:
        """Whether the plugin is of *version* or newer."""
        return _parts(self.version) >= _parts(version)

    def update(self, values: dict[str, Any]) -> None:
        """Set fields by name. Raises ValueError for an unknown name or a value of another type."""
        known = {item.name: getattr(self, item.name) for item in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown switch: {name}")
            setattr(self, name, _like(name, value, known[name]))


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _like(name: str, value: Any, current: Any) -> Any:
    if isinstance(current, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if current is not None and type(value) is not type(current):
        raise ValueError(f"{name} must be {type(current).__name__}")
    if name == "page" and value not in PAGES:
        raise ValueError(f"unknown page {value}; one of: {', '.join(PAGES)}")
    return value
