// What the page would ask, as a person would type it: of the address that the page was opened at.
import { copy, el, icon } from "./dom.js";
import { t } from "./i18n.js";

const PICTURE = "data:image/png;base64,BASE64";
const { origin } = location;

/** What is written now, else what was asked last, as the forms below take it. */
export function requestOf({ composer, turns, choice, needsKey }) {
  const last = turns.findLast(({ role }) => role === "user");
  const { text, pictures } = composer.text || composer.pictures.length ? composer : (last ?? { text: t("first.hello"), pictures: [] });
  return { model: choice.select.value, text, pictures, search: composer.wantsSearch, needsKey: needsKey() };
}

function body({ model, text, pictures, search }, extra) {
  const parts = [{ type: "text", text }, ...pictures.map(() => ({ type: "image_url", image_url: { url: PICTURE } }))];
  const messages = [{ role: "user", content: pictures.length ? parts : text }];
  return { model, messages, stream: true, ...(search ? extra : {}) };
}

/** As a command line. With `needsKey` it takes a key from the environment. */
export function asCurl(request) {
  const sent = JSON.stringify(body(request, { web_search: true })).replaceAll("'", `'\\''`);
  const key = request.needsKey ? ` \\\n  -H "Authorization: Bearer $FREEAICHAT_API_KEY"` : "";
  return `curl -N ${origin}/v1/chat/completions -H 'Content-Type: application/json'${key} \\\n  -d '${sent}'\n`;
}

/** As a program with the official client. */
export function asPython(request) {
  const { model, messages } = body(request, {});
  const key = request.needsKey ? 'os.environ["FREEAICHAT_API_KEY"]' : '"unused"';
  return `${request.needsKey ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key=${key})
stream = client.chat.completions.create(
    model=${JSON.stringify(model)},
    messages=${JSON.stringify(messages)},
    stream=True,${request.search ? '\n    extra_body={"web_search": True},' : ""}
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
`;
}

/** As what the official clients, and many programs that use them, read from the environment. */
export function asEnvironment({ needsKey }) {
  return `export OPENAI_BASE_URL=${origin}/v1\nexport OPENAI_API_KEY=${needsKey ? '"$FREEAICHAT_API_KEY"' : "unused"}\n`;
}

/** Buttons that copy either; `requestOf()` tells what is asked. */
export function copyButtons(requestOf) {
  const one = (name, key, form) =>
    el("button.small", { type: "button", label: key, onclick: ({ currentTarget }) => copy(form(requestOf()), currentTarget) }, icon("copy"), name);
  return [one("curl", "copy.curl", asCurl), one("Python", "copy.python", asPython)];
}
