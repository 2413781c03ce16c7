"""`/v1/embeddings`."""

from proxy.api.openapi.parts import (
    ASKS_THE_SITE,
    Paths,
    Schema,
    answer,
    at_least,
    json_body,
    json_content,
    operation,
    ref,
    told,
)

SCHEMAS: dict[str, Schema] = {
    "EmbeddingsRequest": told(
        at_least(
            {
                "model": {"type": "string", "pattern": r"\S"},
                "input": {
                    "anyOf": [
                        {"type": "string", "minLength": 1},
                        {"type": "array", "items": {"type": ["string", "integer", "array"]}, "minItems": 1},
                    ]
                },
            }
        ),
        "The server that lists the model is sent all of it.",
    ),
    "Embeddings": told({"type": "object"}, "As the server makes it: OpenAI's list of embeddings."),
}

PATHS: Paths = {
    "/v1/embeddings": {
        "post": operation(
            "create_embeddings",
            "Embeddings of a text, by a server; sites make none.",
            answer("What the server answers.", json_content(ref("Embeddings"))),
            ASKS_THE_SITE,
            body=json_body(ref("EmbeddingsRequest")),
        )
    }
}
