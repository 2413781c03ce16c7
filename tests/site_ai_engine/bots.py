"""The chatbots of the simulated AI Engine site: those of the recorded one."""

from dataclasses import dataclass

DEFAULT_INSTRUCTIONS = "Converse as if you were an AI assistant. Be friendly, creative."
OPERATOR_INSTRUCTIONS = "You are OPERATOR-INSTRUCTIONS.\nBe <b>brief</b>."


@dataclass(frozen=True, slots=True)
class EngineBot:
    """One chatbot as its owner set it up. *custom_id*: its shortcode overrides settings; then they live for a day."""

    id: str
    name: str = "AI: "
    model: str = "gpt-4o-mini"
    chat_completions: bool = False  # a custom endpoint, instead of OpenAI's Responses
    instructions: str = DEFAULT_INSTRUCTIONS
    max_length: int = 512
    max_messages: int = 15
    uploads: bool = False
    max_uploads: int = 1
    allowed_types: str = ""  # of files; "": as the plugin has it
    web_search: bool = False
    mode: str = "chat"
    custom_id: str | None = None

    @property
    def temperature(self) -> float | None:
        """What the plugin sends along; reasoning models take none."""
        return None if self.model.startswith("gpt-5") else 0.8


DEFAULT_BOTS = (
    EngineBot("default", model="gpt-5-mini"),
    EngineBot("chatbot-resp", "GPT-4o mini: ", instructions=OPERATOR_INSTRUCTIONS, max_length=100_000),
    EngineBot("chatbot-cc", "Llama: ", model="llama-stub", chat_completions=True, max_length=100_000),
    EngineBot("chatbot-short", "Short: ", max_length=20),
    EngineBot("chatbot-vision", "Vision 视觉: ", model="gpt-4.1-mini", uploads=True, max_length=100_000),
    EngineBot("chatbot-web", "Web: ", model="gpt-4.1-mini", web_search=True, max_length=100_000),
    EngineBot("chatbot-resp", "Over:", max_length=100_000, custom_id="a8714514167ef25d6e16faa92abd8b49"),
)
# Version 2.4.1 knows no Responses API.
OLD_DEFAULT = EngineBot("default", model="gpt-4o", chat_completions=True)
