"""What answers: sites and servers, each behind a `gate.py` of its own.

`site/` is what sites of all chat plugins share, `aipkit/` and `ai_engine/` what each plugin does its own way,
`openai_server/` any OpenAI-compatible server.
"""
