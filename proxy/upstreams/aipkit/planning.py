"""What a turn sends: only what is new where the site's own copy is gone on from, else the whole text."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.chat.ask import Ask
from proxy.upstreams.aipkit.copy import Copy
from proxy.upstreams.aipkit.pictures import to_send
from proxy.upstreams.aipkit.requests import SiteTurn
from proxy.upstreams.aipkit.transcript import guard, shorten, transcript
from shared.conversations import Message
from shared.models import Bot, Credentials


@dataclass(frozen=True, slots=True)
class Planned:
    """A turn, and how many of the oldest messages and images it leaves out."""

    turn: SiteTurn
    dropped_messages: int
    dropped_images: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be asked: of *copy*, where there is one, with the *new* messages alone."""

    ask: Ask
    bot: Bot
    copy: Copy | None = None
    new: Sequence[Message] = ()

    def turn(self, credentials: Credentials, *, max_transcript: int, max_images: int) -> Planned:
        """The turn as the guest of these *credentials*. *max_transcript*: characters."""
        copy, messages, dropped = self.copy, self.new, 0
        if copy is None or not copy.belongs_to(credentials, self.bot):
            messages, dropped = shorten(self.ask.messages, max_transcript)
            copy = Copy(
                site=credentials.site,
                bot_id=self.bot.id,
                session_id=credentials.session_id,
                conversation_uuid=str(uuid.uuid4()),
            )
        images, dropped_images = to_send(messages, self.ask.images, most=max_images)
        keeps_state = self.bot.keeps_state
        turn = SiteTurn(
            bot_id=self.bot.id,
            provider=self.bot.provider,
            message=guard(transcript(messages), images=len(images)),
            images=images,
            session_id=credentials.session_id,
            conversation_uuid=copy.conversation_uuid,
            post_id=credentials.post_id,
            response_id=copy.response_id if keeps_state else "",
            interaction_id=copy.interaction_id if keeps_state else "",
            web_search=self.ask.web_search,
        )
        return Planned(turn, dropped, dropped_images)
