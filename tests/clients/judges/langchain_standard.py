"""LangChain's own tests of a chat model, run in its packages; where the gateway is, is in the environment."""

import os
from typing import Any

from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


class TestGateway(ChatModelIntegrationTests):  # type: ignore[misc]
    """What this chat model supports."""

    @property
    def chat_model_class(self) -> Any:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": os.environ["JUDGED_MODEL"],
            "base_url": os.environ["JUDGED_URL"],
            "api_key": os.environ["JUDGED_KEY"],
            "max_retries": 0,
            "stream_usage": True,  # with another address than OpenAI's it asks for none by itself
            "use_responses_api": os.environ["JUDGED_API"] == "responses",
        }

    @property
    def supports_json_mode(self) -> bool:
        return True
