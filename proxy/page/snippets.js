// The request that the page would send, as a person would type it.
const PICTURE = "data:image/png;base64,BASE64";

function body({ model, text, pictures, search }, extra) {
  const parts = [{ type: "text", text }, ...pictures.map(() => ({ type: "image_url", image_url: { url: PICTURE } }))];
  const messages = [{ role: "user", content: pictures.length ? parts : text }];
  return { model, messages, stream: true, ...(search ? extra : {}) };
}

/** As a command line. *needsKey*: it takes a key from the environment. */
export function asCurl(chat, { origin, needsKey }) {
  const sent = JSON.stringify(body(chat, { web_search: true })).replaceAll("'", `'\\''`);
  const key = needsKey ? ` \\\n  -H "Authorization: Bearer $FREEAICHAT_API_KEY"` : "";
  return `curl -N ${origin}/v1/chat/completions -H 'Content-Type: application/json'${key} \\\n  -d '${sent}'\n`;
}

/** As a program with the official client. */
export function asPython(chat, { origin, needsKey }) {
  const { model, messages } = body(chat, {});
  const key = needsKey ? 'os.environ["FREEAICHAT_API_KEY"]' : '"unused"';
  return `${needsKey ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key=${key})
stream = client.chat.completions.create(
    model=${JSON.stringify(model)},
    messages=${JSON.stringify(messages)},
    stream=True,${chat.search ? '\n    extra_body={"web_search": True},' : ""}
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
`;
}
