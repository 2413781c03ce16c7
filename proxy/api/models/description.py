"""`/v1/models`."""

from typing import Any

from proxy.api.messages.description_objects import ERROR
from proxy.api.messages.errors import VERSION_HEADER
from proxy.api.models.handlers import STATES
from proxy.api.openapi.parts import (
    BOOLEAN,
    COUNT,
    FINDS,
    INTEGER,
    KIND,
    SECONDS,
    STRING,
    Operations,
    Schema,
    answer,
    array,
    const,
    described,
    exactly,
    json_content,
    nullable,
    one_of,
    operation,
    path_parameter,
    ref,
)

SCHEMAS: dict[str, Schema] = {
    "Model": exactly(
        {
            "id": STRING,
            "object": const("model"),
            "created": described(SECONDS, "When a visit first told of the site's bots; Unix time in seconds."),
            "owned_by": described(STRING, "Whose model the bot is, as the site says; else the site."),
            "alias_of": described(nullable(STRING), "The discovered model that this name leads to."),
            "discovered": described(BOOLEAN, "Whether the visited page shows this bot."),
            "name": described(nullable(STRING), "The bot's title on the page."),
            "site": described(STRING, "Its host, or the server's name."),
            "kind": described(nullable(KIND), "What answers: a chat plugin, null before a visit, or a server."),
            "bot_id": described(nullable(INTEGER), "Of a site's bot; null: the model is a server's."),
            "web_search": BOOLEAN,
            "images": BOOLEAN,
            "tools": described(nullable(one_of("native", "emulated")), "How it calls tools; null: not at all."),
            "structured_outputs": described(nullable(one_of("native", "emulated")), "How it answers by a JSON schema."),
            "state": described(
                one_of(*STATES),
                "Whether a turn would be answered now, as far as this process knows. `cooldown`: a quota or limit was "
                "reached a short while ago; `resting`: the circuit breaker is open; `unavailable`: there are no "
                "credentials that the site takes, or the server is away.",
            ),
            "context_length": described(
                nullable(COUNT),
                "Tokens of a history that reach the bot, as an estimate; of a server's as it tells, or null.",
            ),
            "architecture": exactly(
                {"input_modalities": array(one_of("text", "image")), "output_modalities": array(const("text"))}
            ),
            "supported_parameters": described(
                array(STRING), "Those that do something, besides what every model takes."
            ),
        }
    ),
    "ModelList": exactly({"object": const("list"), "data": array(ref("Model"))}),
}

_VERSION = {
    "name": VERSION_HEADER,
    "in": "header",
    "description": "With it, answers and errors have the shape of Anthropic's API, and `limit`, `after_id` and "
    "`before_id` page through a list.",
    "schema": STRING,
}


def _either(operation: dict[str, Any]) -> dict[str, Any]:
    """*operation* with errors of either API."""
    codes = [*(code for code in operation["responses"] if code != "200"), "529"]
    content = json_content({"anyOf": [ref("Error"), ref("AnthropicError")]})
    errors = {code: {**ERROR, "description": f"As everywhere ({code}).", "content": content} for code in codes}
    return {**operation, "responses": {"200": operation["responses"]["200"], **errors}}


OPERATIONS: Operations = {
    "GET /v1/models": _either(
        operation(
            "list_models",
            "Every model that can be named now. No site is asked.",
            answer("The models.", json_content({"anyOf": [ref("ModelList"), ref("AnthropicModelList")]})),
            ["400"],
            parameters=[_VERSION],
        )
    ),
    "GET /v1/models/{id}": _either(
        operation(
            "retrieve_model",
            "One model.",
            answer("The model.", json_content({"anyOf": [ref("Model"), ref("AnthropicModel")]})),
            FINDS,
            parameters=[path_parameter("id", "A model's name, in any case; it may hold slashes."), _VERSION],
        )
    ),
}
