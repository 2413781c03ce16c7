"""LangChain's own tests of a chat model, for a gateway whose address comes from the environment; run in its packages."""

import os
from typing import Any

from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


class TestGateway(ChatModelIntegrationTests):
    """What such a chat model can."""

    @property
    def chat_model_class(self) -> type[Any]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": os.environ["JUDGED_MODEL"],
            "base_url": os.environ["JUDGED_URL"],
            "api_key": os.environ["JUDGED_KEY"],
            "max_retries": 0,
            "use_responses_api": os.environ["JUDGED_API"] == "responses",
        }

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_json_mode(self) -> bool:
        return True
