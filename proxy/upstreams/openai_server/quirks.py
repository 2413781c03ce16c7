"""How servers differ from OpenAI's API."""

from dataclasses import dataclass, replace

from proxy.chat.ask import Ask
from proxy.chat.extras import REASONING_TEXTS
from proxy.chat.tools.definitions import ToolConfig
from proxy.upstreams.openai_server.message_order import Order
from proxy.upstreams.openai_server.options import effort_in, has_tools, own_effort, sent_options

_NEAREST = {"max": "high", "xhigh": "high", "none": "low", "minimal": "low"}  # of efforts, for one that it refuses


@dataclass(frozen=True, slots=True)
class Quirks:
    """How one server differs from OpenAI's API, learned from its complaints."""

    limit_field: str = "max_tokens"
    most_tokens: int | None = None  # that a limit may have, where it is known
    takes_usage_option: bool = True  # `stream_options.include_usage`
    refused_efforts: frozenset[str] = frozenset()  # of reasoning
    thinks_beside_tools: bool = True  # else it takes tools with the effort "none" alone
    reasoning_field: str = REASONING_TEXTS[0]  # of a message that goes back; `THINKING`: parts of its content; "": none
    needs_thoughts: bool = False  # with each answer that goes back, be they empty
    takes_signatures: bool = True  # of calls, back
    marks_unsigned_calls: bool = False  # it refuses calls without a signature or this mark
    takes_any_call_id: bool = True  # else only those of the form that it makes itself
    takes_json_object: bool = True  # a response format without a schema
    refused_formats: frozenset[str] = frozenset()  # types of response formats
    order: Order = "any"  # of the messages
    takes_tools: bool = True
    takes_pictures: bool = True  # of earlier turns; what is asked about is refused
    takes_stops: bool = True  # else they are cut here alone
    refused: frozenset[str] = frozenset()  # names of hints and options, or "tools" of kinds we do not know

    def takes(self, config: ToolConfig | None) -> bool:
        """As `Upstream.takes`."""
        has_tools = config is not None and bool(config.tools)
        return (self.takes_tools or not has_tools) and self.format_of(config) not in self.refused_formats

    def format_of(self, config: ToolConfig | None) -> str:
        """The type of the response format in *config*, as it is sent; "": there is none."""
        if config is None or config.output_format is None:
            return ""
        return "json_object" if config.output_format.schema is None and self.takes_json_object else "json_schema"

    def after_thoughts(self, name: str) -> "Quirks":
        """The quirks after an answer with thoughts under *name*; some servers refuse what they send themselves."""
        if not self.reasoning_field and name == REASONING_TEXTS[0]:
            return self
        return replace(self, reasoning_field=name)

    def taken_effort(self, ask: Ask) -> str | None:
        """The effort of *ask*, or the nearest one that is not refused; None: the model's default."""
        if has_tools(ask) and not self.thinks_beside_tools:
            return "none"
        effort = effort_in(ask.parameters)
        wanted = (effort, _NEAREST.get(effort or ""))
        return next((each for each in wanted if each and each not in self.refused_efforts), None)

    def left_out(self, ask: Ask) -> list[str]:
        """Names of what the client sent and the server is not, as it refuses that; an effort may be another one."""
        names = [name for wire, name in sent_options(ask).items() if wire in self.refused]
        own = own_effort(ask.parameters)
        return [*names, own[0]] if own and self.taken_effort(ask) != own[1] else names
