"""Collecting the content of a message: its texts as one, and where in it its pictures and files stand."""


class Content:
    """Takes the parts of one message in their order."""

    __slots__ = ("_length", "_names", "_places", "_texts")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._names: list[str] = []
        self._places: list[int] = []
        self._length = 0  # of `text`

    def __bool__(self) -> bool:
        return bool(self._texts or self._names)

    def say(self, text: str) -> None:
        """Add a text."""
        self._length += len(text) + bool(self._texts)
        self._texts.append(text)

    def show(self, name: str) -> None:
        """Add the picture or file that is called *name*."""
        self._names.append(name)
        self._places.append(self._length)

    @property
    def text(self) -> str:
        """As `Message.text`."""
        return "\n".join(self._texts)

    @property
    def images(self) -> tuple[str, ...]:
        """As `Message.images`."""
        return tuple(self._names)

    @property
    def places(self) -> tuple[int, ...]:
        """As `Message.places`."""
        return tuple(self._places)
