"""The chatbots of the simulated site: those of the recorded one, and some that always refuse."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SiteBot:
    """One chatbot as its owner set it up. *quota_tokens* is the guest limit, None for no limit."""

    id: int
    name: str
    provider: str = "OpenAI"
    model: str = "gpt-4o-mini"
    conversation_state: bool = False
    chat_completions: bool = False  # provider OpenAI: the older API instead of Responses
    web_search: bool = False  # for Google: search grounding
    web_search_on: bool = False  # the page's toggle starts switched on
    images: bool = False
    published: bool = True
    guests: bool = True
    quota_tokens: int | None = None
    has_key: bool = True
    popup: bool = False
    consent: bool = False
    max_messages: int = 15
    instructions: str = "You are a helpful AI Assistant. Please be friendly. Today's date is November 23, 2026."


DEFAULT_BOTS = (
    SiteBot(5, "GPT-4o mini Helper"),
    SiteBot(6, "GPT-5 Nano", model="gpt-5-nano", conversation_state=True),
    SiteBot(7, "Web Search Bot", model="gpt-4.1-mini", web_search=True),
    SiteBot(8, "Vision Bot 视觉", images=True),
    SiteBot(9, "DeepSeek Bot", provider="DeepSeek", model="deepseek-chat"),
    SiteBot(10, "Llama via OpenRouter", provider="OpenRouter", model="meta-llama/llama-3.3-70b-instruct"),
    SiteBot(11, "Gemini Flash", provider="Google", model="gemini-2.5-flash", conversation_state=True, web_search=True),
    SiteBot(12, 'Claude "Sonnet" <b>', provider="Claude", model="claude-sonnet-4-5"),
    SiteBot(13, "Draft Bot", published=False),
    SiteBot(14, "Members Only", guests=False),
    SiteBot(15, "Quota Bot", quota_tokens=50),
    SiteBot(16, "Popup Bot", popup=True),
    SiteBot(17, "Keyless Bot", provider="DeepSeek", model="deepseek-chat", has_key=False),
    SiteBot(18, "Old API Bot", model="gpt-5-nano", chat_completions=True),
    SiteBot(19, "Grok Bot", provider="xAI", model="grok-4", web_search=True, web_search_on=True),
)
