"""A model of a few hundred tokens for llama.cpp, as a GGUF file: it says one thing, and that at once.

Each token is a direction of its own, the layer adds nothing, and so the output's weights say which token follows which:
a chain. Where a grammar lets the chain not go on, what ends JSON is likelier than what makes it longer.
"""

import struct
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

THOUGHTS = ("hm", " so")  # with the next ones: each only once
WORDS = ("Grüß", " Gott", ",", " 世界", "!", " 😀")
CONTEXT = 4096  # tokens that it can be given

_BEGIN, _END, _CALL = "<|assistant|>", "</s>", "<tool_call>"
# In a form that the server understands: it shows thoughts and calls as such, and holds the model to the calls' form.
_TEMPLATE = """
{%- if tools %}<|tools|>{% for tool in tools %}{{ tool | tojson }}{% endfor %}<|end|>{% endif %}
{%- for message in messages %}<|{{ message.role }}|>
{%- if message.role == 'assistant' and message.reasoning_content %}<think>{{ message.reasoning_content }}</think>
{%- endif %}{{- message.content or '' }}
{%- for call in message.tool_calls or [] %}<tool_call>{"name": "{{ call.function.name }}", "arguments": {{
call.function.arguments | tojson }}}</tool_call>{% endfor %}<|end|>{% endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif -%}
"""
_NORMAL, _UNKNOWN, _CONTROL, _UNUSED, _BYTE = 1, 2, 3, 5, 6  # kinds of tokens
_FOLLOWS, _ELSE = 4.0, 3.0  # weights: of the next token in the chain, and of what comes where that one may not
_ENDING = {_END: 1.5, '"': 0.8, "}": 0.4, "]": 0.4}
_FEED_FORWARD = 32  # its width
_ALIGNMENT = 32


def write_model(path: Path) -> None:
    """Write the model to *path*."""
    tokens = _tokens()
    tensors = list(_tensors(list(tokens)))
    metadata = list(_about(list(tokens), list(tokens.values())))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(metadata)
    offset = 0
    for name, shape, values in tensors:
        head += _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        offset += len(_padded(values.tobytes()))
    path.write_bytes(_padded(head) + b"".join(_padded(values.tobytes()) for _, _, values in tensors))


def _tokens() -> dict[str, int]:
    """All tokens with their kinds; other characters are encoded byte by byte."""
    texts = (*map(chr, range(32, 127)), "<think>", "</think>", _CALL, *THOUGHTS, *WORDS)
    tokens = {"<unk>": _UNKNOWN, "<s>": _CONTROL, _END: _CONTROL, _BEGIN: _CONTROL}
    tokens |= {f"<0x{byte:02X}>": _BYTE for byte in range(256)}
    tokens |= {_spelled(text): _NORMAL for text in texts}
    return tokens | {f"<unused{number}>": _UNUSED for number in range(-len(tokens) % _ALIGNMENT)}


def _spelled(text: str) -> str:
    return text.replace(" ", "▁")


def _about(names: list[str], kinds: list[int]) -> Iterator[bytes]:
    size = len(names)
    yield _field("general.architecture", 8, _string("llama"))
    yield _field("general.name", 8, _string("tiny"))
    for name, number in {
        "context_length": CONTEXT,
        "embedding_length": size,
        "block_count": 1,
        "feed_forward_length": _FEED_FORWARD,
        "attention.head_count": 4,
        "attention.head_count_kv": 1,
        "rope.dimension_count": size // 4,
        "vocab_size": size,
    }.items():
        yield _field(f"llama.{name}", 4, struct.pack("<I", number))
    yield _field("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-5))
    yield _field("tokenizer.ggml.model", 8, _string("llama"))
    yield _field("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, size) + b"".join(map(_string, names)))
    yield _field("tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, size) + bytes(4 * size))
    yield _field("tokenizer.ggml.token_type", 9, struct.pack(f"<IQ{size}i", 5, size, *kinds))
    for name, number in {"unknown": 0, "bos": 1, "eos": 2}.items():
        yield _field(f"tokenizer.ggml.{name}_token_id", 4, struct.pack("<I", number))
    for name in ("add_bos_token", "add_space_prefix"):
        yield _field(f"tokenizer.ggml.{name}", 7, b"\0")
    yield _field("tokenizer.chat_template", 8, _string(_TEMPLATE))


def _tensors(names: list[str]) -> Iterator[tuple[str, tuple[int, ...], "array[float]"]]:
    """Each with its shape, the innermost dimension first."""
    size = len(names)
    at = {name: number for number, name in enumerate(names)}
    embedding, output = _zeros(size * size), _zeros(size * size)
    for number in range(size):
        embedding[number * size + number] = 1.0
    for name, weight in _ENDING.items():
        output[at[name] * size : at[name] * size + size] = array("f", [weight]) * size
    chain = map(_spelled, (_BEGIN, "<think>", *THOUGHTS, "</think>", *WORDS, _END))
    for before, after in pairwise(chain):
        output[at[after] * size + at[before]] = _FOLLOWS
    output[at[_CALL] * size + at[_spelled(WORDS[-1])]] = _ELSE
    yield "token_embd.weight", (size, size), embedding
    yield "output.weight", (size, size), output
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        yield f"{name}.weight", (size,), array("f", [1.0]) * size
    for name, shape in {
        "attn_q": (size, size),
        "attn_k": (size, size // 4),
        "attn_v": (size, size // 4),
        "attn_output": (size, size),
        "ffn_gate": (size, _FEED_FORWARD),
        "ffn_up": (size, _FEED_FORWARD),
        "ffn_down": (_FEED_FORWARD, size),
    }.items():
        yield f"blk.0.{name}.weight", shape, _zeros(shape[0] * shape[1])


def _zeros(count: int) -> "array[float]":
    return array("f", bytes(4 * count))


def _field(name: str, kind: int, value: bytes) -> bytes:
    return _string(name) + struct.pack("<I", kind) + value


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
