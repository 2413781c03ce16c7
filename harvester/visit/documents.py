"""Elements of a tab's documents as received, for attributes that a page's script removes before a snapshot."""

from collections.abc import Collection

from playwright.async_api import Frame, Request

from shared.plugins.markup import elements_in

MAX_HTML_BYTES = 8 * 1024 * 1024


class Documents:
    """The documents of all frames of one tab. One that never finishes is missing: its script has not run either."""

    def __init__(self, attributes: Collection[str]) -> None:
        """*attributes*: those of the elements to find."""
        self._attributes = tuple(attributes)
        self._shown: dict[Frame, Request] = {}
        self._elements: dict[Request, list[dict[str, str]]] = {}

    def elements(self, frame: Frame) -> list[dict[str, str]]:
        """The attributes of the elements in the received document of *frame*; none before it was read."""
        request = self._shown.get(frame)
        return list(self._elements.get(request, [])) if request else []

    def on_request(self, request: Request) -> None:
        """Handle the start of a request, which may be a navigation."""
        if request.is_navigation_request():
            replaced = self._shown.get(request.frame)
            self._shown[request.frame] = request
            if replaced is not None:
                self._elements.pop(replaced, None)

    async def on_request_finished(self, request: Request) -> None:
        """Handle the end of a request; documents are parsed."""
        if not request.is_navigation_request() or self._shown.get(request.frame) is not request:
            return
        response = await request.response()
        if response is None or "location" in response.headers:
            return
        body = (await response.body())[:MAX_HTML_BYTES]
        if self._shown.get(request.frame) is request:
            self._elements[request] = elements_in(body.decode("utf-8", "replace"), self._attributes)
