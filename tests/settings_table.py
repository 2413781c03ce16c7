"""The settings tables of both READMEs, made from the settings themselves.

`python -m tests.settings_table` writes them anew; a test compares. The English meanings are the descriptions in
shared/settings, the Chinese ones stand here.
"""

from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ByteSize

from shared.parsing import Site
from shared.secrets import Secret
from shared.settings import NAMES, Settings, field_types

ROOT = Path(__file__).parents[1]
MARK = "<!-- settings: made by python -m tests.settings_table -->\n"
PLACE_DEFAULTS = {"data_dir": "your user data directory", "store": "SQLite in the data directory", "browser": "found"}
DURATIONS = (("d", 86400), ("h", 3600), ("s", 1))
BY_HAND = "手工获取的{}；四项合为第一个站点的凭据，失效之前不需要浏览器"
CHINESE_DEFAULTS = {"data_dir": "用户数据目录", "store": "数据目录中的 SQLite", "browser": "自动查找"}
CHINESE = {
    "sites": "带聊天的页面地址，按优先顺序；每个源是一个站点",
    "api_key": "主密钥；没有时，回环地址开放使用，其他地址会自动生成",
    "host": "代理监听的地址；未设置或为 `localhost` 时也监听 ::1",
    "port": "代理监听的端口",
    "workers": "共用端口的代理进程数，每个要用的处理器核心一个（Linux）",
    "data_dir": "存储和生成的密钥所在",
    "store": "存储的 URL：`sqlite:///PATH`，多台机器共用时为 `redis://HOST:PORT/0`",
    "harvest_interval": "两次定时访问的间隔（带随机偏移）",
    "browser": "Chromium 系浏览器的路径",
    "models": "追加的 `别名=bot_id`",
    "default_model": "未知模型名由它回答；没有则返回 404",
    "servers": "OpenAI 兼容服务器：`名称=基础地址`（`ollama=http://127.0.0.1:11434/v1`）；模型名为 `名称/模型`",
    "server_keys": "`名称=密钥`：需要密钥的服务器的 API 密钥",
    "fallback_model": "服务器上的模型（`ollama/llama3.2`）；有该模型的站点全部失败时由它回答",
    "max_server": "同 `FREEAICHAT_MAX_UPSTREAM`，用于每个服务器",
    "keepalive": "流中静默时发送什么",
    "max_upstream": "同一存储的所有代理对一个站点同时打开的流；更多的排队等待",
    "max_requests": "每个代理同时处理的请求数上限；超出的返回 503",
    "shutdown_timeout": "收到停止信号后，进行中的流还可以继续多久",
    "idle_timeout": "站点在回答途中最长的沉默时间",
    "log_level": "记录的最低级别",
    "log_format": "日志行的样式",
    "max_body": "更大的请求体返回 413",
    "max_bodies": "每个代理中进行中的请求合计最多可占用多少；超出的返回 503",
    "cors_origins": "无密钥时另外允许的浏览器来源；`*` 代表任意部分（`chrome-extension://*`），单独一个为全部",
    "tools": "站点没有工具和 schema 时：`emulate`（模拟）、`refuse`（400）、`ignore`（用文字回答）",
    "tool_retries": "调用或 JSON 不正确时再试几次（0 到 3）；每次用掉配额中的一轮",
    "history": "`continue` 总是使用站点自己的记忆，`replay` 从不使用；`auto` 只在其内容准确时使用",
    "history_limit": "`auto` 时最多由站点记住的消息数；更多则整体重发",
    "max_transcript": "重放历史的字符上限；超出时从最早的轮次起略去",
    "retention": "这么久未使用的对话会被删除",
    "max_stored": "所存对话的总量上限；超过时删除最旧的",
    "usage_retention": "按小时的用量记录保留多久",
    "cookie": BY_HAND.format(" Cookie 头"),
    "ajax_nonce": BY_HAND.format(" nonce"),
    "session_id": BY_HAND.format("会话 id"),
    "post_id": BY_HAND.format("文章 id"),
}


@dataclass(frozen=True, slots=True)
class Language:
    """One README and how its table is worded. *meanings*: by field; None: the settings' own descriptions."""

    file: Path
    head: str
    meanings: dict[str, str] | None
    defaults: dict[str, str]
    nothing: str
    aliases: str
    comma: str
    choices: tuple[str, str]  # before the choices, before the last


LANGUAGES = (
    Language(
        ROOT / "README.md", "name | default | meaning", None, PLACE_DEFAULTS, "none", " ({})", ", ", (": ", " or ")
    ),
    Language(
        *(ROOT / "README.zh-CN.md", "名称 | 默认值 | 含义", CHINESE, CHINESE_DEFAULTS, "无", "（{}）", "、"),
        ("：", " 或 "),
    ),
)


def table(language: Language) -> str:
    """The whole table, each line ended."""
    rows = [language.head, "---|---|---", *(_row(each, language) for each in fields(Settings) if each.name in NAMES)]
    return "".join(f"| {row} |\n" if row != "---|---|---" else f"|{row}|\n" for row in rows)


def in_readme(text: str) -> str:
    """The table that stands in a README's *text*."""
    return text.partition(MARK)[2].partition("\n\n")[0] + "\n"


def _row(field: "Field[Any]", language: Language) -> str:
    first, *others = (f"`{one}`" for one in NAMES[field.name])
    shown = first + (language.aliases.format(language.comma.join(others)) if others else "")
    meaning = field.metadata["meaning"] if language.meanings is None else language.meanings[field.name]
    return f"{shown} | {_default(field, language)} | {meaning}{_choices(field, meaning, language)}"


def _choices(field: "Field[Any]", meaning: str, language: Language) -> str:
    """The words a setting may be, unless its meaning explains them already."""
    kind, *_ = get_args(getattr(field_types, _kind(field), None)) or [None]
    if get_origin(kind) is not Literal:
        return ""
    *most, last = words = [f"`{word}`" for word in get_args(kind)]
    if any(word in meaning for word in words):
        return ""
    before, between = language.choices
    return f"{before}{language.comma.join(most)}{between}{last}"


def _kind(field: "Field[Any]") -> str:
    return str(field.type).removeprefix("field_types.")


def _default(field: "Field[Any]", language: Language) -> str:
    if field.name in language.defaults:
        return language.defaults[field.name]
    text = "" if field.default is MISSING else _written(field.default, _kind(field))
    return f"`{text}`" if text else language.nothing


def _written(value: Any, notation: str) -> str:
    """A default as one would write it in `.env`; empty for none."""
    if isinstance(value, tuple):
        return ",".join(one.url if isinstance(one, Site) else str(one) for one in value)
    if isinstance(value, Secret):
        return value.value
    if notation in ("Size", "Limit"):
        return ByteSize(value).human_readable(separator="").replace(".0", "")
    if notation in ("Duration", "Interval"):
        unit, size = next((unit, size) for unit, size in DURATIONS if value % size == 0 and value >= size)
        return f"{value / size:g}{unit}"
    return str(value or "")


def main() -> None:
    """Write both tables."""
    for language in LANGUAGES:
        text = language.file.read_text("utf-8")
        language.file.write_text(text.replace(MARK + in_readme(text), MARK + table(language)), "utf-8")


if __name__ == "__main__":
    main()
