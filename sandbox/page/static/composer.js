// Where people write: messages, replies, slash commands.

import { refresh } from "./parts.js";
import { post, state } from "./state.js";

for (const form of document.querySelectorAll("[data-composer]")) {
  const text = form.querySelector("textarea");
  const suggest = form.querySelector(".suggest");

  const grow = () => { text.style.height = "auto"; text.style.height = `${text.scrollHeight}px`; };
  const offer = () => {
    if (!suggest) return;
    const typed = text.value;
    const fits = [...suggest.children].filter((one) => {
      one.hidden = !(typed.startsWith("/") && !typed.includes(" ") && one.dataset.command.startsWith(typed));
      return !one.hidden;
    });
    suggest.hidden = !fits.length;
    [...suggest.children].forEach((one) => one.classList.toggle("on", one === fits[0]));
  };
  const take = (one) => { text.value = `${one.dataset.command} `; text.focus(); offer(); grow(); };
  const clip = form.querySelector(".attach input");
  const everywhere = form.querySelector(".broadcast input");
  const label = form.querySelector(".attach").title;
  const attached = () => {
    const names = [...clip.files].map((one) => one.name).join(", ");
    form.querySelector(".attach").classList.toggle("on", Boolean(names));
    form.querySelector(".attach").title = names || label;
    form.querySelector(".attached-names").textContent = names;
  };
  const send = async () => {
    const words = text.value.trim();
    const files = [...clip.files].map((one) => one.name);
    if (!words && !files.length) return;
    const broadcast = Boolean(everywhere?.checked);
    text.value = "";
    clip.value = "";
    if (everywhere) everywhere.checked = false;
    attached();
    offer();
    grow();
    const answer = await post("say", { channel: state.channel, text: words, thread: form.dataset.composer === "thread" ? state.thread : null, files, broadcast });
    // What could not be sent is not lost.
    if (answer.problem && !text.value) { text.value = words; grow(); }
    refresh("messages", "thread", "sidebar");
  };

  clip.addEventListener("change", () => { attached(); text.focus(); });
  text.addEventListener("input", () => { offer(); grow(); });
  text.addEventListener("keydown", (event) => {
    const first = suggest && !suggest.hidden ? suggest.querySelector(".on") : null;
    if (first && (event.key === "Tab" || (event.key === "Enter" && text.value !== first.dataset.command))) { event.preventDefault(); take(first); return; }
    if (event.key === "Escape" && suggest) suggest.hidden = true;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
  });
  text.addEventListener("blur", () => { if (suggest) setTimeout(() => { suggest.hidden = true; }, 150); });
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  suggest?.addEventListener("mousedown", (event) => { const one = event.target.closest("[data-command]"); if (one) { event.preventDefault(); take(one); } });
}
