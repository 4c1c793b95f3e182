// Modals: what the app opened for this person, what they enter, and what it says about that.

import { post } from "./state.js";
import { times } from "./times.js";

const dialog = document.querySelector("#view");

/** What somebody has entered stays when a message or form around it is drawn anew. */
export function keepTyped(old, item) {
  for (const field of old.querySelectorAll("[data-touched]")) {
    const same = item.querySelector(`[data-block="${CSS.escape(field.dataset.block)}"][data-action="${CSS.escape(field.dataset.action)}"]`);
    if (!same || !("value" in same)) continue;
    same.value = field.value;
    same.dataset.touched = "";
    if (field === document.activeElement) queueMicrotask(() => { same.focus(); same.setSelectionRange?.(field.selectionStart, field.selectionEnd); });
  }
}

/** Put the top view in front of the person, or take the dialog away. */
export function showView(at, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const next = fresh.content.querySelector(".view");
  const now = at.querySelector(".view");
  if (!next) {
    at.replaceChildren();
    if (dialog.open) dialog.close();
    return;
  }
  if (now && now.dataset.view === next.dataset.view) {
    if (now.dataset.hash === next.dataset.hash) return;
    keepTyped(now, next);
  }
  const scrolled = now?.dataset.view === next.dataset.view ? now.querySelector(".view-body").scrollTop : 0;
  at.replaceChildren(next);
  next.querySelectorAll("[data-epoch-value]").forEach(writeLocalMoment);
  times(at);
  if (!dialog.open) dialog.showModal();
  next.querySelector(".view-body").scrollTop = scrolled;
  if (!scrolled) next.querySelector("[autofocus], .field, select")?.focus({ preventScroll: true });
}

function writeLocalMoment(input) {
  const at = new Date(Number(input.dataset.epochValue) * 1000);
  input.value = new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

/** What stands in one element, as the workspace takes it: a text, a value, a list, a number of seconds; null for nothing. */
export function valueOf(element) {
  switch (element.dataset.el) {
    case "checkboxes": return [...element.querySelectorAll("input:checked")].map((box) => box.value);
    case "radio_buttons": return element.querySelector("input:checked")?.value ?? null;
    case "datetimepicker": return element.value ? Math.floor(new Date(element.value).getTime() / 1000) : null;
    default:
      if (element.multiple) return [...element.selectedOptions].map((option) => option.value);
      return element.value === "" || element.value === undefined ? null : element.value;
  }
}

const HAS_VALUE = /(_input|select|picker|checkboxes|radio_buttons)$/;

/** Everything that was entered in a form, by block id; where a block has several elements, by action id. */
export function typedIn(root) {
  const typed = {};
  const filled = [...root.querySelectorAll("[data-el]")].filter((element) => HAS_VALUE.test(element.dataset.el));
  for (const element of filled) {
    const alone = filled.every((other) => other === element || other.dataset.block !== element.dataset.block);
    typed[alone ? element.dataset.block : element.dataset.action] = valueOf(element);
  }
  return typed;
}

export function paintErrors(form, errors) {
  form.querySelectorAll(".input.wrong").forEach((input) => { input.classList.remove("wrong"); input.querySelector(".error")?.remove(); });
  for (const [block, text] of Object.entries(errors)) {
    const input = form.querySelector(`[data-input="${CSS.escape(block)}"]`) ?? form.querySelector(".view-body");
    const line = Object.assign(document.createElement("p"), { className: "error", textContent: text });
    line.setAttribute("role", "alert");
    input.classList.add("wrong");
    input.append(line);
  }
  form.querySelector(".input.wrong")?.scrollIntoView({ block: "nearest" });
}

function emptyRequired(form) {
  const errors = {};
  for (const input of form.querySelectorAll("[data-input]:not([data-optional])")) {
    const element = input.querySelector("[data-el]");
    const value = element ? valueOf(element) : "x";
    if (value === null || value.length === 0 || (typeof value === "string" && !value.trim())) errors[input.dataset.input] = "Please complete this required field.";
  }
  return errors;
}

async function submit(form, refresh) {
  const missing = emptyRequired(form);
  paintErrors(form, missing);
  if (Object.keys(missing).length) return;
  const button = form.querySelector("[data-submit-view]");
  button.classList.add("busy");
  const answer = await post("submit", { view: form.dataset.view, typed: typedIn(form) });
  button.classList.remove("busy");
  if (answer.errors && form.isConnected) paintErrors(form, answer.errors);
  refresh("view");
}

async function close(refresh) {
  const form = dialog.querySelector(".view");
  if (form) await post("close", { view: form.dataset.view, typed: typedIn(form) });
  refresh("view");
}

/** Let the dialog send and close forms; `refresh` draws parts of the page anew. */
export function connectViews(refresh) {
  dialog.addEventListener("submit", (event) => { event.preventDefault(); submit(event.target, refresh); });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(refresh); });
  dialog.addEventListener("click", (event) => { if (event.target.closest("[data-close-view]")) close(refresh); });
}

document.addEventListener("input", (event) => { const field = event.target.closest("[data-el]"); if (field) field.dataset.touched = ""; });
