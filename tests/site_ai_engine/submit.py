"""`chats/submit`: the checks before the model, and both forms of the answer."""

import asyncio
import time
from typing import Any

from aiohttp import web

from tests.site.records import forget_oldest, remember
from tests.site_ai_engine import wire
from tests.site_ai_engine.bots import OLD_DEFAULT, EngineBot
from tests.site_ai_engine.provider import Outcome, as_streamed, call_of, new_response_id, outcome_of, usage_of
from tests.site_ai_engine.records import ModelCall
from tests.site_ai_engine.rest import RestCall, read_json

REJECTED = "Sorry, your query has been rejected."
BANNED = "Your query has been rejected."
OOPS = (
    "Oops! Something went wrong on the server. Please try again, and if you are the site developer, check the PHP "
    "Error Logs for details."
)
_BLANKS = " \t\n\r\0\x0b"
_OWN_KEYS = frozenset(
    {"botId", "customId", "newMessage", "messages", "chatId", "session", "contextId", "newFileId", "newFileIds"}
    | {"stream", "previousResponseId", "shortcutId"}
)
_RECEIVED_BYTES = 1888  # in the recorded timeout


async def submit(call: RestCall) -> web.StreamResponse:
    """One turn."""
    body, problem = read_json(call.body)
    if problem is not None:
        code, message = problem
        return call.error(
            "rest_invalid_json", "Invalid JSON body passed.", 400, json_error_code=code, json_error_message=message
        )
    if call.nonce_is_good is None:
        return call.error("rest_forbidden", "Sorry, you are not allowed to do that.", 401)
    if isinstance(body.get("newMessage"), list):
        return call.error("internal_server_error", "<p>There has been a critical error on this website.</p>", 500)
    text = str(body.get("newMessage") or "").strip(_BLANKS)
    is_empty = not text or (text == "0" and not call.site.behaviour.is_since("3.1.0"))
    if is_empty or not (body.get("botId") or body.get("customId")):
        return call.json({"success": False, "message": REJECTED}, 403)
    call.site.overrides += [key for key in body if key not in _OWN_KEYS]
    return await _Turn(call, body, text).answer()


class _Turn:
    def __init__(self, call: RestCall, body: dict[str, Any], text: str) -> None:
        self._call, self._body, self._text = call, body, text
        self._site, self._behaviour = call.site, call.site.behaviour
        self._streams = bool(body.get("stream"))
        self._response: web.StreamResponse | None = None
        self._events = 0

    async def answer(self) -> web.StreamResponse:
        bot, is_custom = self._bot()
        length = len(self._text if self._behaviour.is_since("2.4.9") else self._text.encode())
        if bot is None or (length > bot.max_length and not is_custom):
            return self._refused_early()
        if self._behaviour.gateway_status:
            return wire.server_page(self._call.request, self._behaviour.gateway_status)
        words = self._text.lower()
        if any(word.lower() in words for word in self._behaviour.banned_words):
            return await self._refused(BANNED)
        if self._behaviour.limit_text:
            return await self._refused(self._behaviour.limit_text, is_limit=True)
        made = call_of(bot, self._body, images=self._images(), is_old=not self._behaviour.is_since("2.8.3"))
        self._site.model_call_count += 1
        remember(self._site.model_calls, made)
        outcome = outcome_of(bot, made, self._site.responses, self._site.behaviour.scripts)
        if self._streams:
            return await self._stream(bot, made, outcome)
        return await self._plain(bot, made, outcome)

    def _bot(self) -> tuple[EngineBot | None, bool]:
        """The bot that answers: for an unknown id it is the default one. And whether it is a shortcode's own."""
        custom = self._body.get("customId")
        rendered = self._site.rendered.get(custom or "", 0.0)
        if custom and time.time() - rendered < self._behaviour.custom_life:
            return self._site.custom_bots[custom], True
        if not self._behaviour.is_since("2.8.3"):
            return OLD_DEFAULT, False
        found = self._site.bots.get(self._body.get("botId") or "")
        if found is None and self._behaviour.is_since("3.0.3"):
            found = self._site.bots["default"]
        return found, False

    def _images(self) -> int:
        ids = [self._body.get("newFileId"), *(self._body.get("newFileIds") or [])]
        return sum(bool(each) for each in ids)

    def _refused_early(self) -> web.Response:
        """Before the stream begins: its event comes as JSON."""
        if self._streams:
            return self._call.answer(self._call.headers(), self._error(REJECTED) + b"\n\n")
        return self._plain_error(REJECTED)

    async def _refused(self, text: str, *, is_limit: bool = False) -> web.StreamResponse:
        """In words that are for the visitor."""
        more = self._over_limit(value=is_limit)
        if not self._streams:
            return self._call.json({"success": False, "message": text, **more}, 429 if any(more.values()) else 500)
        response = await self._begin()
        await self._send(wire.event("error", text, more))
        await response.write_eof()
        return response

    def _over_limit(self, *, value: bool) -> dict[str, bool]:
        return {"overLimit": value} if self._behaviour.is_since("3.6.3") else {}

    def _shown(self, error: str) -> str:
        """What visitors get to see of an error."""
        return OOPS if self._behaviour.is_since("3.6.3") else error

    def _error(self, text: str) -> bytes:
        return wire.event("error", self._shown(text), self._over_limit(value=False))

    def _plain_error(self, text: str) -> web.Response:
        told = {"success": False, "message": self._shown(text), **self._over_limit(value=False)}
        return self._call.json(told, 500)

    async def _stream(self, bot: EngineBot, made: ModelCall, outcome: Outcome) -> web.StreamResponse:
        with self._site.streams.counted() as counted:
            await asyncio.sleep(self._behaviour.first_delta_delay)
            response = await self._begin()
            name = new_response_id(bot)
            await response.write(b": keepalive\n\n" * self._behaviour.keepalives)
            for line in self._logged(bot, made, name):
                await self._send(line)
            await self._send_all(bot, made, outcome, name)
            await response.write_eof()
            counted.finished = True
            return response

    async def _send_all(self, bot: EngineBot, made: ModelCall, outcome: Outcome, name: str) -> None:
        pause = self._behaviour.delta_delay if outcome.delay is None else outcome.delay
        sent = as_streamed(outcome.pieces)
        for piece in sent:
            if self._events == self._behaviour.dies_after:
                return
            await self._send(wire.event("live", piece))
            await asyncio.sleep(pause)
        if outcome.stalls:
            await asyncio.sleep(self._behaviour.upstream_timeout)
            await self._send(self._error(f"{self._engine(bot)}: {self._timed_out()}"))
        elif outcome.error:
            await self._send(self._error(f"{self._engine(bot)}: {outcome.error}"))
        else:
            reply = self._reply(bot, made, "".join(sent), outcome, name)
            rest = f"\n\n{self._behaviour.after_end}" if self._behaviour.after_end else ""
            await self._send(wire.event("end", wire.json_body(reply).decode()) + rest.encode())

    async def _plain(self, bot: EngineBot, made: ModelCall, outcome: Outcome) -> web.StreamResponse:
        await asyncio.sleep(self._behaviour.first_delta_delay)
        error = outcome.plain_error or (self._timed_out() if outcome.stalls else "")
        if error:
            return self._plain_error(f"{self._engine(bot)}: {error}")
        text = "" if outcome.refuses else "".join(outcome.pieces)
        return self._call.json(self._reply(bot, made, text, outcome, new_response_id(bot)))

    def _reply(self, bot: EngineBot, made: ModelCall, text: str, outcome: Outcome, name: str) -> dict[str, Any]:
        """The answer's object, with what this version of the plugin tells."""
        since = self._behaviour.is_since
        counted = usage_of(
            bot,
            made,
            "".join(outcome.pieces),
            is_whole=outcome.is_whole or not self._streams,
            is_refused=outcome.refuses,
        )
        if not since("2.8.8"):
            counted = {key: counted[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")}
        text = text.strip(_BLANKS)
        if outcome.draws:  # no event of the stream tells of it
            text += f"\n\n![Generated Image]({self._site.url}wp-content/uploads/2026/11/{name}.png)"
        reply: dict[str, Any] = {"success": True, "reply": text, "images": None}
        if since("2.8.3"):
            reply |= {"actions": [], "shortcuts": [], "blocks": []}
        reply |= {"usage": counted}
        if since("2.8.3") and outcome.has_id:
            reply["responseId"] = name
            self._site.responses[name] = [
                {"role": "user", "content": self._text},
                {"role": "assistant", "content": text},
            ]
            forget_oldest(self._site.responses)
        if since("2.8.5") and self._call.new_token:
            reply["new_token"] = self._call.new_token
        return reply | self._site.reply_changes

    def _logged(self, bot: EngineBot, made: ModelCall, name: str) -> list[bytes]:
        """What the option "event logs" tells before the text."""
        if not self._behaviour.event_logs:
            return []

        def status(text: str, **more: Any) -> bytes:
            details = {"timestamp": round(time.time(), 6), "subtype": "status", "visibility": "collapsed", **more}
            return wire.event("live", text, details)

        if bot.chat_completions:
            return [status("Starting stream...", metadata={"model": made.body["model"], "id": name})]
        search = [status("Searching the web..."), status("Web search completed")] if bot.web_search else []
        return [*search, status("Generating response...")]

    async def _begin(self) -> web.StreamResponse:
        headers = [*self._call.headers(wire.EVENTS), ("Cache-Control", "no-cache")]
        self._response = web.StreamResponse(headers=headers)
        await self._response.prepare(self._call.request)
        return self._response

    async def _send(self, line: bytes) -> None:
        assert self._response is not None
        self._events += 1
        if self._behaviour.splits_lines:
            await self._response.write(line)
            await self._response.write(b"\n\n")
        else:
            await self._response.write(line + b"\n\n")

    def _engine(self, bot: EngineBot) -> str:
        return "Custom" if bot.chat_completions else "OpenAI (Responses API)"

    def _timed_out(self) -> str:
        millis = round(self._behaviour.upstream_timeout * 1000)
        return f"cURL error 28: Operation timed out after {millis} milliseconds with {_RECEIVED_BYTES} bytes received"
