"""The switches of the simulated AI Engine site. All may be changed while it runs; each has one meaning."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

PageKind = Literal[
    "inline",  # the chats are in the page
    "late",  # a script adds the chats after `late_ms`, when the plugin's script has looked through the page
    "links",  # no chat, but a link to /chat/, which has it
    "frame",  # the chats are in a frame of the same site
    "frame_srcdoc",  # ... or in one that the page wrote itself
    "frameset",  # ... or in one that is all the page shows
    "blank",  # no chat and no link
    "endless",  # the page never finishes, but the chats are there
]


@dataclass
class Behaviour:
    """How the site behaves. Times are in seconds unless the name says otherwise."""

    version: str = "3.6.2"  # of the plugin

    # The page at /
    page: PageKind = "inline"
    page_status: int = 200  # anything else: an error page with this status
    late_ms: int = 300
    consent: bool = False  # the option "GDPR consent": a box that locks the page's own input
    discussions: bool = False  # a list of earlier conversations stands above the chats
    streams: bool = True  # the option "stream"
    kept_for: Literal["", "user", "guest"] = ""  # from a page cache, long ago: as a user who was logged in, or a guest
    kept_address: bool = True  # the cache goes by the whole address: one with another query goes past it

    # Nonces and REST
    nonce_life: float = 86400.0
    cookie_bound_nonce: bool = False  # as `tests.site.nonces` asks for it: never so here
    rest_closed: bool = False  # a security plugin lets no guest use REST
    challenge_rest: bool = False  # a bot check stands before REST
    rest_status: int = 0  # 429, 502, ...: a server in front answers REST so; 0: it works
    rest_status_times: int = -1  # ... only so many times; -1: always
    rest_delay: float = 0.0
    locks_php_sessions: bool = False  # another plugin begins one for each request; PHP lets one have it at a time
    firewall_words: list[str] = field(default_factory=list)  # a server in front refuses bodies that hold one
    body_limit: int = 1 << 30  # bytes; the web server refuses a larger body
    upload_limit: int = 2 * 1024 * 1024  # bytes of a file: PHP's upload_max_filesize
    custom_life: float = 86400.0  # of a shortcode's settings, after the last rendering

    # A turn
    scripts: dict[str, list[Any]] = field(default_factory=dict)  # what the model does as an agent
    banned_words: list[str] = field(default_factory=list)
    limit_text: str = ""  # refuse with this text, as the Pro version does at a limit
    event_logs: bool = False
    keepalives: int = 0  # comments before the text, as of a model of Anthropic's that works with tools
    first_delta_delay: float = 0.0
    delta_delay: float = 0.0
    upstream_timeout: float = 300.0  # of the whole call to the model
    rest_leads_to: str = ""  # REST leads to this address, as where a site has moved
    gateway_status: int = 0  # a server in front gives up with this status, before the first byte
    dies_after: int = -1  # PHP ends after so many events; -1: never
    after_end: str = ""  # what something else on the site writes behind an answer, in the same piece
    splits_lines: bool = True  # a line's end comes in a chunk of its own

    def is_since(self, version: str) -> bool:
        """Whether the plugin is of *version* or newer."""
        return _parts(self.version) >= _parts(version)

    def update(self, values: dict[str, Any]) -> None:
        """Set fields by name. Raises ValueError for an unknown name or a value of another type."""
        for name, value in values.items():
            current = getattr(self, name, None)
            if current is None or callable(current):
                raise ValueError(f"unknown switch: {name}")
            is_number = isinstance(current, float) and type(value) is int
            if not is_number and type(value) is not type(current):
                raise ValueError(f"{name} must be {type(current).__name__}")
            if name == "page" and value not in get_args(PageKind):
                raise ValueError(f"unknown page {value}")
            setattr(self, name, float(value) if is_number else value)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
