"""`/v1/models`."""

from proxy.api.openapi.parts import (
    BOOLEAN,
    COUNT,
    FINDS,
    INTEGER,
    SECONDS,
    STRING,
    Paths,
    Schema,
    answer,
    array,
    const,
    exactly,
    json_content,
    nullable,
    one_of,
    operation,
    path_parameter,
    ref,
    told,
)

SCHEMAS: dict[str, Schema] = {
    "Model": exactly(
        {
            "id": STRING,
            "object": const("model"),
            "created": told(SECONDS, "When a visit first told of the site's bots; Unix time in seconds."),
            "owned_by": told(STRING, "Whose model the bot is, as the site says; else the site."),
            "alias_of": told(nullable(STRING), "The discovered model that this name leads to."),
            "discovered": told(BOOLEAN, "Whether the visited page shows this bot."),
            "name": told(nullable(STRING), "The bot's title on the page."),
            "site": STRING,
            "kind": told(
                nullable(STRING),
                "Of a site, its chat plugin: `aipkit` or `ai_engine`; null before a visit.",
            ),
            "bot_id": INTEGER,
            "web_search": BOOLEAN,
            "images": BOOLEAN,
            "tools": told(nullable(one_of("native", "emulated")), "How it calls tools; null: not at all."),
            "structured_outputs": told(nullable(one_of("native", "emulated")), "How it answers by a JSON schema."),
            "context_length": told(COUNT, "Tokens of a history that reach the bot, as an estimate."),
            "architecture": exactly(
                {"input_modalities": array(one_of("text", "image")), "output_modalities": array(const("text"))}
            ),
            "supported_parameters": told(array(STRING), "Those that do something, besides what every model takes."),
        }
    ),
    "ModelList": exactly({"object": const("list"), "data": array(ref("Model"))}),
}

PATHS: Paths = {
    "/v1/models": {
        "get": operation(
            "list_models",
            "Every model that can be named now. No site is asked.",
            answer("The models.", json_content(ref("ModelList"))),
        )
    },
    "/v1/models/{id}": {
        "get": operation(
            "retrieve_model",
            "One model.",
            answer("The model.", json_content(ref("Model"))),
            FINDS,
            parameters=[path_parameter("id", "A model's name, in any case; it may hold slashes.")],
        )
    },
}
