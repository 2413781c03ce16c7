// Where a message is written.
import { announce, el, icon, iconButton } from "./dom.js";
import { t } from "./i18n.js";

const MAX_PICTURES = 4; // as many as the API takes in a message
const MAX_PICTURE_BYTES = 20 * 1024 * 1024;
const PICTURE_TYPES = ["image/png", "image/jpeg", "image/webp"];
const MAX_HEIGHT = 220; // pixels

/** A form: calls `onSend(text, pictures)` and `onStop()`. */
export class Composer {
  constructor({ onSend, onStop }) {
    this.onSend = onSend;
    this.onStop = onStop;
    this.pictures = [];
    this.adding = Promise.resolve(); // the reading of pictures
    this.isBusy = false;
    this.build();
    this.takePictures();
  }

  build() {
    this.field = el("textarea", { rows: 1, dir: "auto", label: "chat.message", placeholder: "chat.message", id: "message" });
    this.field.addEventListener("keydown", (event) => this.typed(event));
    this.field.addEventListener("input", () => this.fit());
    this.file = el("input.unseen", { type: "file", accept: PICTURE_TYPES.join(","), multiple: true, label: "chat.attach", tabindex: "-1" });
    this.attach = iconButton("image", "chat.attach", () => this.file.click());
    this.search = el("button.toggle", { type: "button", "aria-pressed": "false" }, icon("globe"), el("span", { t: "chat.search" }));
    this.search.addEventListener("click", () => this.setSearch(!this.wantsSearch));
    this.sending = iconButton("send", "chat.send", () => this.send(), ".primary.send");
    this.stopping = iconButton("stop", "chat.stop", ({ detail }) => detail < 2 && this.onStop(), ".primary.stop"); // no double click on Send
    this.stopping.hidden = true;
    this.thumbs = el("div.thumbs");
    this.refusal = el("p.note", { t: "chat.picture.refused", role: "alert", hidden: true }); // while it is shown, nothing is sent
    const tools = el("div.tools", {}, this.attach, this.search, el("span.grow"), this.sending, this.stopping);
    this.element = el("div.composer", {}, this.thumbs, this.refusal, this.field, this.file, tools);
  }

  get wantsSearch() {
    return this.search.getAttribute("aria-pressed") === "true";
  }

  get text() {
    return this.field.value;
  }

  set text(value) {
    this.field.value = value;
    this.fit();
  }

  setSearch(on) {
    this.search.setAttribute("aria-pressed", String(on));
  }

  /** What *model* can do decides which tools there are. */
  setModel(model) {
    this.attach.disabled = !model?.images;
    this.search.disabled = !model?.web_search;
    if (this.search.disabled) this.setSearch(false);
    this.model = model;
    this.showRefusal();
  }

  /** Say at once that the model takes no pictures, where some are attached. */
  showRefusal() {
    this.refusal.hidden = !this.pictures.length || !this.model || this.model.images;
  }

  setBusy(busy) {
    const hasFocus = [this.sending, this.stopping].includes(document.activeElement);
    this.isBusy = busy;
    this.sending.hidden = busy;
    this.stopping.hidden = !busy;
    if (hasFocus) (busy ? this.stopping : this.sending).focus(); // what is hidden loses it
  }

  async send() {
    await this.adding; // a picture that was given before belongs to the message
    const text = this.text.trim();
    if (this.isBusy || !this.refusal.hidden || (!text && !this.pictures.length)) return;
    const pictures = this.pictures;
    this.pictures = [];
    this.text = "";
    this.showPictures();
    this.onSend(text, pictures);
  }

  typed(event) {
    if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
    if (matchMedia("(pointer: coarse)").matches && !event.ctrlKey && !event.metaKey) return; // a touch keyboard has no Shift+Enter
    event.preventDefault();
    this.send();
  }

  fit() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, MAX_HEIGHT)}px`;
  }

  takePictures() {
    this.file.addEventListener("change", async () => {
      await this.add([...this.file.files]);
      this.file.value = "";
    });
    this.field.addEventListener("paste", (event) => {
      const { files } = event.clipboardData;
      const isText = event.clipboardData.getData("text/plain"); // Word and Excel add a picture of it
      if (!files.length || isText || this.attach.disabled) return;
      event.preventDefault();
      this.add([...files]);
    });
    document.addEventListener("dragover", (event) => this.dragged(event));
    document.addEventListener("drop", (event) => this.dragged(event) && this.add([...event.dataTransfer.files]));
  }

  /** Keep the browser from opening a file in place of the page; returns whether it can be taken. */
  dragged(event) {
    if (!event.dataTransfer.types.includes("Files")) return false;
    const isTaken = this.element.isConnected && !this.attach.disabled && !document.querySelector("dialog[open]");
    event.preventDefault();
    event.dataTransfer.dropEffect = isTaken ? "copy" : "none";
    return isTaken;
  }

  add(files) {
    this.adding = this.adding.then(() => this.read(files)).catch((error) => announce(error.message));
    return this.adding;
  }

  async read(files) {
    for (const file of files) {
      if (!PICTURE_TYPES.includes(file.type)) announce(t("chat.picture.kind", { name: file.name }));
      else if (file.size > MAX_PICTURE_BYTES) announce(t("chat.picture.large", { name: file.name }));
      else if (this.pictures.length >= MAX_PICTURES) announce(t("chat.picture.many"));
      else this.pictures.push(await dataUrl(file));
    }
    this.showPictures();
  }

  showPictures() {
    this.thumbs.replaceChildren(
      ...this.pictures.map((url, index) =>
        el("div.thumb", {}, el("img", { src: url, alt: t("chat.picture") }), iconButton("close", "chat.detach", () => this.drop(index), ".small")),
      ),
    );
    this.showRefusal();
  }

  drop(index) {
    this.pictures.splice(index, 1);
    this.showPictures();
    this.field.focus();
  }
}

/** Whether a key was meant for an input method, which goes by Enter and Escape itself; Safari tells by 229. */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
