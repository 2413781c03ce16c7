"""The rules of the rooms, checked on one file at a time: who may import whom, homes, purity, sizes, tests that all run.

Each function takes a path from the root, in POSIX form, and the file's text, and returns what is wrong with it.
"""

import ast
import graphlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

MAX_LINES = 300
FORBIDDEN = {  # by folder: what it never imports
    "shared/": ("harvester", "proxy", "tests"),
    "shared/store/redis/": ("shared.store.sqlite",),
    "shared/store/sqlite/": ("shared.store.redis",),
    "harvester/": ("proxy", "tests"),
    "harvester/service/": ("harvester.visit",),  # the other side of the process boundary
    "harvester/visit/": ("harvester.service",),
    "proxy/": ("harvester", "tests"),
    # api -> chat <- upstreams: the chat knows neither who asks nor who answers.
    "proxy/chat/": ("proxy.api", "proxy.server", "proxy.access", "proxy.usage", "proxy.upstreams", "aiohttp"),
    "proxy/upstreams/": ("proxy.api", "proxy.server", "proxy.access", "proxy.usage"),
    # No plugin's folder knows another's; what several use lies above them.
    "proxy/upstreams/site/": ("proxy.upstreams.aipkit", "proxy.upstreams.ai_engine"),
    "proxy/upstreams/aipkit/": ("proxy.upstreams.ai_engine", "shared.plugins.ai_engine"),
    "proxy/upstreams/ai_engine/": ("proxy.upstreams.aipkit", "shared.plugins.aipkit"),
    "shared/plugins/aipkit/": ("shared.plugins.ai_engine",),
    "shared/plugins/ai_engine/": ("shared.plugins.aipkit",),
    **dict.fromkeys(("proxy/api/", "proxy/server/", "proxy/access/", "proxy/usage/"), ("proxy.upstreams",)),
}
HOMES = {  # the only places that may import or use these names
    "shared.plugins.aipkit": ("harvester/visit/plugins/aipkit.py", "proxy/", "shared/"),
    "shared.plugins.ai_engine": ("harvester/visit/plugins/ai_engine.py", "proxy/", "shared/"),
    "playwright": (
        *("harvester/visit/browser.py", "harvester/visit/chromium.py", "harvester/visit/documents.py"),
        *("harvester/visit/playwright_calls.py", "harvester/visit/process.py", "harvester/visit/__main__.py"),
    ),
    "apscheduler": ("harvester/service/schedule.py",),
    "aiohttp": ("proxy/",),
    "pydantic": ("shared/settings/",),
    "msgspec": ("shared/serialization.py",),
    "sqlite3": ("shared/store/sqlite/",),
    "rich": ("shared/cli/markdown.py",),
    "markdown_it": ("shared/cli/markdown.py",),
    "redis": ("shared/store/redis/",),
    # Settings are read in one place; the others find a browser, or hand the environment on to a child.
    "os.environ": (
        *("shared/settings/reader.py", "shared/processes/lifeline.py", "shared/browsers.py"),
        *("shared/processes/handover.py", "shared/processes/supervise.py", "shared/cli/"),
        *("harvester/service/child.py", "harvester/visit/__main__.py"),
    ),
    "os.getenv": (),
}
AIOHTTP_CLIENT = "proxy/api/images/download.py"  # its only use: what clients name by address
# Its server, and what that one raises when a client is gone.
PROXY_AIOHTTP = ("aiohttp.web", "aiohttp.typedefs", "aiohttp.ClientConnectionResetError", "aiohttp.HttpVersion11")
# What speaks a protocol takes plain values: all of these folders, but the files that wait, ask or make something up.
PURE_FOLDERS = {
    "shared/plugins/": (),
    "proxy/chat/tools/": (),
    "proxy/upstreams/aipkit/": ("attempt", "planning", "site"),
    "proxy/upstreams/ai_engine/": ("attempt", "silence", "site"),
    "proxy/upstreams/openai_server/": ("attempt", "server"),
    "proxy/upstreams/site/": ("credentials", "plugin_site", "recovery"),
    "proxy/api/chat_completions/": ("handlers",),
    "proxy/api/completions/": ("handlers",),
    "proxy/api/conversations/": ("handlers",),
    "proxy/api/messages/": ("handlers", "models"),
    "proxy/api/openapi/": (),
    "proxy/api/responses/": ("compaction", "handlers", "service"),
}
PURE_FILES = (
    *(
        f"proxy/chat/{name}.py"
        for name in ("ask", "catalog", "errors", "extras", "history", "nesting", "tokens", "truncation")
    ),
    *(f"proxy/upstreams/{name}.py" for name in ("breaker", "event_decoder", "meaning")),
    *(f"proxy/api/{name}.py" for name in ("content", "opaque", "parameters", "pieces", "tools")),
    *("proxy/api/images/reading.py", "proxy/server/content_encoding.py"),
    *("shared/conversations.py", "shared/retry_after.py", "shared/site_client/http1.py", "shared/store/slots.py"),
)
PURE_IMPORTS = (
    *("base64", "collections", "contextlib", "dataclasses", "enum", "functools", "hashlib", "itertools", "json"),
    *("bisect", "math", "re", "string", "typing", "unicodedata", "urllib.parse", "difflib", "orjson"),
    *("ast", "copy", "jsonschema_rs", "operator", "struct", "types", "warnings"),
    *("zlib", "brotli", "backports.zstd", "compression.zstd", "sys"),  # sys: for its version alone
    *("proxy.api", "proxy.chat", "proxy.upstreams", "shared.plugins", "shared.conversations"),
    *("shared.models", "shared.parsing", "shared.retry_after", "shared.admin.keys", "shared.admin.wire"),
    *("email.utils", "html", "io.StringIO"),
)
PASSING_OVER = {"skip", "skipif", "xfail", "importorskip", "skipTest", "SkipTest", "expectedFailure"}
# A path of the machine it was written on; one below another path or in a URL is not meant.
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:work|root|home|tmp)/[A-Za-z]")


def imports(tree: ast.AST) -> Iterator[str]:
    """The full names of all that *tree* imports, wherever the statement stands; relative ones begin with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def dotted(node: ast.AST) -> str:
    """`a.b.c` for the attribute *node* stands for; an empty string for what is no plain chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    owner = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{owner}.{node.attr}" if isinstance(node, ast.Attribute) and owner else ""


def within(name: str, names: tuple[str, ...]) -> bool:
    """Whether *name* is one of *names* or inside one."""
    return any(name == other or name.startswith(f"{other}.") for other in names)


def is_pure(path: str) -> bool:
    """Whether what stands at *path* takes plain values: no sockets, clocks or randomness."""
    folder, _, name = path.rpartition("/")
    for pure, others in PURE_FOLDERS.items():
        if path.startswith(pure):
            return f"{folder}/" != pure or name.removesuffix(".py") not in others
    return path in PURE_FILES


def wrong_imports(path: str, tree: ast.AST) -> Iterator[str]:
    """Find imports that the package at *path* may not have."""
    for name in imports(tree):
        if name.startswith("."):
            yield f"{path} imports {name} relatively; a full name shows the room"
        if any(path.startswith(folder) and within(name, names) for folder, names in FORBIDDEN.items()):
            yield f"{path} imports {name}"
        if is_pure(path) and not within(name, PURE_IMPORTS):
            yield f"{path} must stay pure and imports {name}"


def import_cycle(sources: Mapping[str, str]) -> list[str]:
    """The modules of a cycle of imports among *sources*, texts by path; empty where there is none.

    Only what is imported while a module is read counts, with the packages that this reads besides.
    """
    names = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in sources}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        tree = ast.parse(sources[path])
        found = {_module(imported, names) for imported in imports(ast.Module(list(_read_at_once(tree.body)), []))}
        around = set(_packages(name))
        graph[name] = {each for module in found for each in (module, *_packages(module))} - {name, ""} - around
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def _read_at_once(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The import statements that run while their module is read."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.Try | ast.With) or (
            isinstance(node, ast.If) and dotted(node.test) != "TYPE_CHECKING"
        ):
            yield from _read_at_once([each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)])


def _module(imported: str, names: Collection[str]) -> str:
    """The module among *names* that holds what is *imported*; "" if it is none of them."""
    while imported and imported not in names:
        imported = imported.rpartition(".")[0]
    return imported


def _packages(name: str) -> Iterator[str]:
    """The packages around the module *name*."""
    while name := name.rpartition(".")[0]:
        yield name


def misplaced_names(path: str, tree: ast.AST) -> Iterator[str]:
    """Libraries and names that *path* imports or uses outside their homes."""
    for name in {*imports(tree), *map(dotted, ast.walk(tree))}:
        for thing, homes in HOMES.items():
            if within(name, (thing,)) and not path.startswith(homes):
                yield f"{path} uses {name}, whose home is {' or '.join(homes) or 'nowhere'}"
        is_server = not name.startswith("aiohttp.") or within(name, PROXY_AIOHTTP)
        if path.startswith("proxy/") and path != AIOHTTP_CLIENT and not is_server:
            yield f"{path} uses {name}: sites are asked through shared/site_client/client.py"


def skipping_marks(path: str, tree: ast.AST) -> Iterator[str]:
    """Find marks and calls in a test file that skip a test or hide its failure."""
    for name in {*imports(tree), *map(dotted, ast.walk(tree))}:
        owner, _, last = name.rpartition(".")
        if last in PASSING_OVER and owner.partition(".")[0] in ("pytest", "unittest", "self", "mark"):
            yield f"{path} uses {name}"


def product_problems(path: str, source: str) -> list[str]:
    """What is wrong with a Python file of the product."""
    tree = ast.parse(source)
    return [*wrong_imports(path, tree), *misplaced_names(path, tree)]


def suite_problems(path: str, source: str) -> list[str]:
    """What is wrong with a Python file of the tests."""
    is_named = any(name in source for name in PASSING_OVER)  # in few files; to read them all takes seconds
    return list(skipping_marks(path, ast.parse(source))) if is_named else []


def text_problems(path: str, source: str) -> list[str]:
    """What is wrong with any text file."""
    found = [f"{path} names a path of one machine: {hit[0]}" for hit in MACHINE_PATH.finditer(source)]
    if path.endswith(".py") and source.count("\n") > MAX_LINES:
        found.append(f"{path} has more than {MAX_LINES} lines")
    return found
