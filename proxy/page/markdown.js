// Answers as safe markup: HTML in them is shown, not used, and whatever comes out is sanitised once more.
import { Marked } from "./vendor/marked.js";
import DOMPurify from "./vendor/purify.js";
import hljs from "./vendor/highlight.js";
import { codeBox, el } from "./dom.js";

const escape = (text) =>
  text.replace(/[&<>"']/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[sign]);
const MAX_HIGHLIGHTED = 50_000; // characters of code; more would hold the page up

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => (/^<br\s*\/?>$/i.test(text.trim()) ? "<br>" : escape(text)),
    // A picture would tell its server who reads this; its address is shown instead.
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
    code: ({ text, lang }) => code(text, (lang || "").match(/^\S*/)[0]),
  },
});

function code(text, language) {
  const known = hljs.getLanguage(language) && text.length < MAX_HIGHLIGHTED;
  const inner = known ? hljs.highlight(text, { language, ignoreIllegals: true }).value : escape(text);
  return `<pre><code class="language-${escape(language)}">${inner}</code></pre>\n`;
}

const RULES = {
  ALLOWED_TAGS: [
    ...["p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "span"],
    ...["strong", "em", "del", "a", "table", "thead", "tbody", "tr", "th", "td", "input"],
  ],
  ALLOWED_ATTR: ["href", "title", "class", "align", "start", "type", "checked", "disabled"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ADD_URI_SAFE_ATTR: ["align", "start", "type"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

/** *text* as HTML; as it is where it is nested too deep, as a model that repeats itself may nest it. */
function markup(text) {
  try {
    return marked.parse(text);
  } catch {
    return `<pre>${escape(text)}</pre>`;
  }
}

/** The elements for *text*, which is in markdown and may hold anything. */
export function rendered(text) {
  const fragment = DOMPurify.sanitize(markup(text), RULES);
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
  }
  for (const box of fragment.querySelectorAll("input")) asCheckbox(box);
  for (const block of fragment.querySelectorAll("pre")) frame(block);
  for (const table of fragment.querySelectorAll("table")) {
    const scroller = el("div.scroller", { tabindex: "0", role: "group", label: "table" });
    table.replaceWith(scroller);
    scroller.append(table);
  }
  // The marks of a list and the columns of a table begin where its text does.
  for (const each of fragment.children) if (!each.matches(".code")) each.dir = "auto";
  return fragment;
}

function asCheckbox(box) {
  if (box.type !== "checkbox") return box.remove();
  box.disabled = true;
  return box.replaceWith(box.checked ? "☑ " : "☐ ");
}

function frame(block) {
  const inner = block.querySelector("code");
  const language = inner?.className.replace("language-", "") || "";
  const { parentNode, nextSibling } = block; // before it moves into its box
  parentNode.insertBefore(codeBox(el("span", {}, language), block, () => block.textContent.replace(/\n$/, "")), nextSibling);
}
