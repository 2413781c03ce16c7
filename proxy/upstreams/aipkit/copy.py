"""The site's copy of a conversation, as it is noted for going on from it."""

from pydantic import Field, ValidationError

from shared.conversations import Note
from shared.models import Bot, Credentials, Value


class Copy(Value):
    """All of these must match to continue it (PROTOCOL 6)."""

    site: str
    bot_id: int
    session_id: str = Field(repr=False)
    conversation_uuid: str
    response_id: str = ""  # last `openai_response_id`
    interaction_id: str = ""  # last `google_interaction_id`

    @property
    def has_state(self) -> bool:
        """Whether it names what the model's provider keeps."""
        return bool(self.response_id or self.interaction_id)

    def belongs_to(self, credentials: Credentials, bot: Bot) -> bool:
        """Whether the guest of *credentials* has it with *bot*."""
        return (self.site, self.bot_id, self.session_id) == (credentials.site, bot.id, credentials.session_id)

    def to_note(self) -> Note:
        """What is stored of it."""
        return Note(name=self.conversation_uuid, value=self.model_dump_json())


def read_copy(note: Note) -> Copy | None:
    """The copy that *note* tells of; None where it is another upstream's."""
    try:
        return Copy.model_validate_json(note.value)
    except ValidationError:
        return None
