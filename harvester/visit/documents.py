"""The HTML of a tab's documents as it came, for what a page's own script takes away before anybody can look."""

from collections.abc import Collection

from playwright.async_api import Frame, Request

from shared.plugins.markup import elements_in

MAX_HTML_BYTES = 8 * 1024 * 1024


class Documents:
    """Of all frames of one tab. A document that never finishes is not here: its script has not run either."""

    def __init__(self, attributes: Collection[str]) -> None:
        """*attributes*: of the elements that are looked for."""
        self._attributes = tuple(attributes)
        self._shown: dict[Frame, Request] = {}
        self._elements: dict[Request, list[dict[str, str]]] = {}

    def elements(self, frame: Frame) -> list[dict[str, str]]:
        """The attributes of the elements that the document in *frame* came with; none before it was read."""
        request = self._shown.get(frame)
        return list(self._elements.get(request, [])) if request else []

    def begun(self, request: Request) -> None:
        """A request begins, which may be for another document."""
        if request.is_navigation_request():
            replaced = self._shown.get(request.frame)
            self._shown[request.frame] = request
            if replaced is not None:
                self._elements.pop(replaced, None)

    async def finished(self, request: Request) -> None:
        """All of an answer has come; documents are read."""
        if not request.is_navigation_request() or self._shown.get(request.frame) is not request:
            return
        response = await request.response()
        if response is None or "location" in response.headers:
            return
        body = (await response.body())[:MAX_HTML_BYTES]
        if self._shown.get(request.frame) is request:
            self._elements[request] = elements_in(body.decode("utf-8", "replace"), self._attributes)
