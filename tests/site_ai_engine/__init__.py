"""A simulated chat site with the AI Engine plugin: a real HTTP server that behaves as the recorded one."""

from tests.site_ai_engine.behaviour import Behaviour
from tests.site_ai_engine.bots import DEFAULT_BOTS, EngineBot
from tests.site_ai_engine.records import ModelCall, SeenRequest
from tests.site_ai_engine.server import SimulatedAiEngine

__all__ = ["DEFAULT_BOTS", "Behaviour", "EngineBot", "ModelCall", "SeenRequest", "SimulatedAiEngine"]
