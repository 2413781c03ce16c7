"""What WordPress' HTML filter leaves of a stored text (PROTOCOL 6), close enough for plain text and simple tags."""

import re

_ALLOWED = (
    " a abbr address article aside b blockquote br caption center cite code col dd del details div dl dt em figure "
    "footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q s samp section small span strong "
    "sub summary sup table tbody td tfoot th thead tr tt u ul var "
)
_PIECE = re.compile(r"<!--.*?(?:-->|$)|<[^>]*(?:>|$)|>", re.DOTALL)
_TAG = re.compile(r"<\s*(/?)\s*([a-zA-Z0-9-]+)([^>]*)>?$", re.DOTALL)
_ATTRIBUTE = re.compile(r"""\b(href|title|class|id|alt|src|width|height)\s*=\s*("[^"]*"|'[^']*')""")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_BARE_AMPERSAND = re.compile(r"&(?!(?:[a-zA-Z][a-zA-Z0-9]{1,30}|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});)")


def filtered(text: str) -> str:
    """The text as the site's history keeps it: unknown tags are gone, their contents stay; controls are gone."""
    return _PIECE.sub(_piece, _BARE_AMPERSAND.sub("&amp;", _CONTROL.sub("", text)))


def _piece(match: re.Match[str]) -> str:
    piece = match[0]
    if piece == ">":
        return "&gt;"
    tag = _TAG.match(piece)
    if piece.startswith("<!--") or tag is None or f" {tag[2].lower()} " not in _ALLOWED:
        return ""
    if tag[1]:
        return f"</{tag[2]}>"
    attributes = "".join(f" {name}={value}" for name, value in _ATTRIBUTE.findall(tag[3]))
    return f"<{tag[2]}{attributes}>"
