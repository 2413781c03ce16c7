"""`/v1/embeddings`."""

from proxy.api.openapi.parts import (
    ASKS_THE_SITE,
    Operations,
    Schema,
    answer,
    at_least,
    described,
    operation,
)

SCHEMAS: dict[str, Schema] = {
    "EmbeddingsRequest": described(
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
    "Embeddings": described({"type": "object"}, "OpenAI's list as the server makes it, in base64 if asked for."),
}

OPERATIONS: Operations = {
    "POST /v1/embeddings": operation(
        "create_embeddings",
        "Embeddings of a text, by a server; sites make none.",
        answer("What the server answers.", "Embeddings"),
        ASKS_THE_SITE,
        body="EmbeddingsRequest",
    ),
}
