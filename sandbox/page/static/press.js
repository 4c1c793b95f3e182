// Pressing and choosing what stands in a message, a form or the app's Home; confirm dialogs; little menus.

import { post, state } from "./state.js";
import { typedIn, valueOf } from "./views.js";

const PRESSED = new Set(["button", "overflow"]);

/** Where an element stands: a form, the app's Home, or a message. */
function whereOf(element) {
  const view = element.closest(".view");
  if (view) return { view: view.dataset.view };
  if (element.closest("[data-home]")) return { home: true };
  return { channel: state.channel, ts: element.closest(".message")?.dataset.ts };
}

/** The element's own confirm dialog. Its text was made by the server out of mrkdwn, with everything escaped. */
export function confirmed(element) {
  if (!element.dataset.confirmTitle) return Promise.resolve(true);
  const dialog = document.querySelector("#confirm");
  const { confirmTitle, confirmText, confirmYes, confirmNo } = element.dataset;
  dialog.querySelector("#confirm-title").textContent = confirmTitle;
  dialog.querySelector("#confirm-text").innerHTML = confirmText;
  dialog.querySelector("#confirm-yes").textContent = confirmYes;
  dialog.querySelector("#confirm-no").textContent = confirmNo;
  dialog.querySelector("#confirm-yes").className = `btn ${"confirmDanger" in element.dataset ? "danger" : "primary"}`;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((answer) => dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true }));
}

async function press(element, value) {
  if (!(await confirmed(element))) return;
  const view = element.closest(".view");
  element.classList.add("busy");
  await post("press", { where: whereOf(element), action: element.dataset.action, value, typed: view ? typedIn(view) : {} });
  element.classList.remove("busy");
}

document.addEventListener("click", (event) => {
  const element = event.target.closest("[data-el]");
  if (element && PRESSED.has(element.dataset.el)) {
    press(element, element.dataset.el === "overflow" ? element.value : element.dataset.value);
  }
});

// A chosen value is told at once, except in an input block that does not ask for it: that one is only filled in.
document.addEventListener("change", (event) => {
  const element = event.target.closest("[data-el]");
  if (!element || PRESSED.has(element.dataset.el)) return;
  const input = element.closest("[data-input]");
  if (input && !("dispatch" in input.dataset)) return;
  if (!input && element.dataset.el.endsWith("_input")) return;
  press(element, valueOf(element));
});

// Menus.
export function closeMenus(except) {
  document.querySelectorAll(".menu:not([hidden])").forEach((menu) => { if (menu !== except) menu.hidden = true; });
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-menu]");
  const menu = opener?.parentElement.querySelector(".menu");
  closeMenus(menu);
  if (!menu) return;
  menu.hidden = !menu.hidden;
  menu.style.top = menu.style.bottom = "";
  const box = menu.getBoundingClientRect();
  if (!menu.hidden && box.bottom > innerHeight - 8) Object.assign(menu.style, { top: "auto", bottom: "calc(100% + 4px)" });
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeMenus(); });
