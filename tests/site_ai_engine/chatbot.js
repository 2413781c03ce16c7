/* The simulated plugin's page script: it takes the containers' attributes away, and talks as the page does. */
(() => {
  "use strict";
  const NAMES = ["data-params", "data-system", "data-theme"];
  const random = () => Math.random().toString(36).slice(2);
  const shared = { nonce: null, sessionId: null };

  window.agreeToChat = () => {
    document.cookie = "mwai_gdpr_accepted=1; path=/; max-age=31536000";
    document.querySelectorAll(".mwai-chatbot input").forEach((input) => { input.disabled = false; });
  };

  const startSession = async (system) => {
    if (shared.nonce) return;
    const answer = await fetch(`${system.restUrl}/mwai/v1/start_session`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "same-origin",
    });
    const told = await answer.json();
    [shared.nonce, shared.sessionId] = [told.restNonce, told.sessionId];
  };

  const message = (role, content, who) => ({ id: random(), role, content, who, timestamp: Date.now() });

  const read = async (answer, line) => {
    let pending = "", ended = null;
    for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
      const lines = (pending + piece).split("\n");
      pending = lines.pop();
      for (const text of lines.filter((each) => each.startsWith("data: "))) {
        const event = JSON.parse(text.slice(6));
        if (event.type === "live" && !event.subtype) line.append(event.data);
        if (event.type === "end") ended = JSON.parse(event.data);
        if (event.type === "error") throw new Error(event.data);
      }
    }
    return ended;
  };

  const submit = async (chat, text) => {
    const { system, messages } = chat;
    await startSession(system);
    const body = {
      botId: system.botId, customId: system.customId, session: shared.sessionId, chatId: chat.chatId,
      contextId: system.contextId, messages: [...messages], newMessage: text, newFileId: null, newFileIds: null,
      stream: system.stream,
    };
    if (chat.previous) body.previousResponseId = chat.previous;
    messages.push(message("user", text, "User: "));
    const line = chat.log.appendChild(document.createElement("p"));
    const answer = await fetch(`${system.restUrl}/mwai-ui/v1/chats/submit`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json", "X-WP-Nonce": shared.nonce,
        ...(system.stream ? { Accept: "text/event-stream" } : {}),
      },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error((await answer.json()).message);
    const told = system.stream ? await read(answer, line) : await answer.json();
    if (!told) throw new Error("cut");
    if (!system.stream) line.append(told.reply);
    if (told.new_token) shared.nonce = told.new_token;
    chat.previous = told.responseId;
    messages.push(message("assistant", told.reply, "AI: "));
    line.dataset.finished = "true";
  };

  const build = (container) => {
    const [params, system] = NAMES.map((name) => JSON.parse(container.getAttribute(name) || "null"));
    NAMES.forEach((name) => container.removeAttribute(name));
    container.dataset.mwaiInitialized = "true";
    container.innerHTML = '<div class="mwai-chatbot"><div class="mwai-log"></div><input type="text"></div>';
    const input = container.querySelector("input");
    input.maxLength = params.textInputMaxLength;
    const chat = { system, chatId: random(), log: container.querySelector(".mwai-log"), messages: [] };
    if (params.startSentence) chat.messages.push(message("assistant", params.startSentence, "AI: "));
    for (const block of system.blocks) {
      input.disabled = true;
      const box = container.firstChild.appendChild(document.createElement("div"));
      box.innerHTML = block.data.html;
      new Function(block.data.script)();
    }
    shared.nonce = shared.nonce || system.restNonce;
    input.addEventListener("input", () => startSession(system), { once: true });
    input.addEventListener("keydown", async (event) => {
      if (event.key !== "Enter") return;
      const text = input.value;
      input.value = "";
      await submit(chat, text).catch((error) => { chat.log.append(`Error: ${error.message}`); });
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".mwai-chatbot-container").forEach(build);
    document.querySelectorAll(".mwai-discussions-container").forEach((list) =>
      NAMES.forEach((name) => list.removeAttribute(name)));
  });
})();
