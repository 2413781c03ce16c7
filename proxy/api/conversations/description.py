"""`/v1/conversations` and their items."""

from proxy.api.conversations.description_calls import CALL_ITEMS, RESULT_ITEMS
from proxy.api.conversations.items import DEFAULT_LIMIT, MAX_LIMIT
from proxy.api.openapi.messages import ITEMS
from proxy.api.openapi.parts import (
    BOOLEAN,
    COUNT,
    FINDS,
    NULL,
    NUMBER,
    SECONDS,
    STRING,
    WRITES,
    Operations,
    Schema,
    answer,
    array,
    at_least,
    const,
    described,
    exactly,
    links,
    nullable,
    one_of,
    operation,
    path_parameter,
    query_parameter,
    ref,
)

PAGE = [
    query_parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}, "Items in a page."
    ),
    query_parameter("order", {"enum": ["asc", "desc"], "default": "desc"}, "By age; the newest first unless `asc`."),
    query_parameter("after", STRING, "The id of the item before the first one wanted, such as a page's `last_id`."),
]
_TOKEN: dict[str, Schema] = {"token": STRING, "logprob": NUMBER, "bytes": array(COUNT)}
LOGPROBS = described(
    array(exactly({**_TOKEN, "top_logprobs": array(exactly(_TOKEN))})),
    "Only where a server tells any and they were asked for. None are stored.",
)
OUTPUT_TEXT = exactly(
    {
        "type": const("output_text"),
        "text": STRING,
        "annotations": array(ref("FlatUrlCitation")),
        "logprobs": LOGPROBS,
    }
)
_INPUT_TEXT = exactly({"type": const("input_text"), "text": STRING})
_INPUT_IMAGE = exactly(
    {"type": const("input_image"), "detail": const("auto"), "image_url": NULL, "file_id": NULL},
)
_MESSAGE_ID: Schema = {"type": "string", "pattern": "^msg_"}
_MESSAGE = exactly(
    {
        "id": _MESSAGE_ID,
        "type": const("message"),
        "status": const("completed"),
        "role": one_of("system", "user", "assistant"),
        "content": described(array({"anyOf": [OUTPUT_TEXT, _INPUT_TEXT, _INPUT_IMAGE]}), "Images are shown, not kept."),
    }
)
_CONVERSATION_ID: Schema = {"type": "string", "pattern": "^conv_"}
_NAME = path_parameter("id", "The conversation's id.")
_ITEM = path_parameter("item_id", "The item's id.")
_GOES_ON = links(
    {"id": "$response.body#/id"},
    *("retrieve_conversation", "update_conversation", "delete_conversation", "list_items", "create_items"),
)
_ONE_ITEM = links({"id": "$request.path.id", "item_id": "$response.body#/first_id"}, "retrieve_item", "delete_item")

SCHEMAS: dict[str, Schema] = {
    "ConversationRequest": at_least(
        {},
        metadata=nullable(ref("Metadata")),
        items=described(nullable({**ITEMS, "minItems": 0}), "What was said before."),
    ),
    "MetadataRequest": at_least({"metadata": nullable(ref("Metadata"))}),
    "ItemsRequest": at_least({"items": ITEMS}),
    "Conversation": exactly(
        {
            "id": _CONVERSATION_ID,
            "object": const("conversation"),
            "created_at": SECONDS,
            "metadata": ref("Metadata"),
            "conversation_id": described(_CONVERSATION_ID, "The id once more, for clients of earlier tools."),
        }
    ),
    "DeletedConversation": exactly(
        {"id": _CONVERSATION_ID, "object": const("conversation.deleted"), "deleted": const(True)}
    ),
    "Item": {"anyOf": [_MESSAGE, *CALL_ITEMS, *RESULT_ITEMS]},
    "ItemList": exactly(
        {
            "object": const("list"),
            "data": array(ref("Item")),
            "first_id": described(STRING, "Empty where there are no items, like `last_id`."),
            "last_id": STRING,
            "has_more": BOOLEAN,
        }
    ),
}

OPERATIONS: Operations = {
    "POST /v1/conversations": operation(
        "create_conversation",
        "Make a conversation.",
        answer("The conversation.", "Conversation", links=_GOES_ON),
        WRITES,
        body="ConversationRequest",
        needs_body=False,
    ),
    "GET /v1/conversations/{id}": operation(
        "retrieve_conversation",
        "One conversation.",
        answer("The conversation.", "Conversation"),
        FINDS,
        parameters=[_NAME],
    ),
    "POST /v1/conversations/{id}": operation(
        "update_conversation",
        "Replace a conversation's metadata.",
        answer("The conversation.", "Conversation"),
        [*FINDS, *WRITES],
        parameters=[_NAME],
        body="MetadataRequest",
    ),
    "DELETE /v1/conversations/{id}": operation(
        "delete_conversation",
        "Forget a conversation.",
        answer("It is gone.", "DeletedConversation"),
        FINDS,
        parameters=[_NAME],
    ),
    "GET /v1/conversations/{id}/items": operation(
        "list_items",
        "A conversation's items, page by page.",
        answer("A page.", "ItemList"),
        ["400", *FINDS],
        parameters=[_NAME, *PAGE],
    ),
    "POST /v1/conversations/{id}/items": operation(
        "create_items",
        "Append items to a conversation; the next turn knows them.",
        answer("The new items.", "ItemList", links=_ONE_ITEM),
        [*FINDS, *WRITES],
        parameters=[_NAME],
        body="ItemsRequest",
    ),
    "GET /v1/conversations/{id}/items/{item_id}": operation(
        "retrieve_item", "One item.", answer("The item.", "Item"), FINDS, parameters=[_NAME, _ITEM]
    ),
    "DELETE /v1/conversations/{id}/items/{item_id}": operation(
        "delete_item",
        "Take an item out of a conversation, with all that is one message with it.",
        answer("The conversation.", "Conversation"),
        FINDS,
        parameters=[_NAME, _ITEM],
    ),
}
