/* Small things of every page: times, forms, files, copying. Without this file everything still works. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const words = $("#words").dataset;

  // What a screen reader hears: politely, and not every frame. Of a crowd only how many, and then it is quiet for a while.
  const said = new Set();
  let speaking = 0, breath = 1500;
  function say(text) {
    said.add(text);
    speaking ||= setTimeout(() => {
      const crowd = said.size > 5;
      $("#announcer").textContent = crowd ? `${said.size} ${words.changes}` : [...said].join(". ");
      breath = crowd ? 15000 : 1500;
      said.clear();
      speaking = 0;
    }, breath);
  }
  function toast(text) {
    $$("#toasts .toast").filter((el) => $("span", el)?.textContent === text).forEach((el) => el.remove());
    const el = $("#toast").content.firstElementChild.cloneNode(true);
    $("span", el).textContent = text;
    $("#toasts").append(el);
  }

  // Times in the reader's language and zone: their own, else the browser's; deadlines count down.
  const { lang, dataset: { zoneOfPerson: timeZone } } = document.documentElement;
  // A browser set to another kind of the page's language, as British English, knows better how its reader writes times.
  const tongue = navigator.languages.find((one) => one.split("-")[0] === lang.split("-")[0]) || lang;
  const times = (how) => { try { return new Intl.DateTimeFormat(tongue, { ...how, timeZone }); } catch { return new Intl.DateTimeFormat(tongue, how); } };
  const second = times({ timeStyle: "medium" });
  const clock = times({ hour: "2-digit", minute: "2-digit" });
  const full = times({ dateStyle: "medium", timeStyle: "short" });
  const day = times({ dateStyle: "short" });
  const relative = new Intl.RelativeTimeFormat(tongue, { numeric: "auto" });
  const units = words.units.split(" ");
  const lasted = (seconds) => {
    const at = [86400, 3600, 60, 1].findIndex((size) => seconds >= size || size === 1);
    return `${Math.max(0, Math.floor(seconds / [86400, 3600, 60, 1][at]))}${units[at]}`;
  };
  function localise(root) {
    for (const el of [...(root.matches?.("time") ? [root] : []), ...$$("time[datetime]", root)]) {
      const at = new Date(el.dateTime), seconds = (at - Date.now()) / 1000, size = Math.abs(seconds);
      el.title ||= full.format(at);
      const text = "since" in el.dataset ? lasted(-seconds)
        : "rel" in el.dataset
        ? size < 90 ? relative.format(Math.round(seconds), "second") : size < 5400 ? relative.format(Math.round(seconds / 60), "minute")
          : size < 129600 ? relative.format(Math.round(seconds / 3600), "hour") : relative.format(Math.round(seconds / 86400), "day")
        : "clock" in el.dataset ? second.format(at)
        : day.format(at) === day.format(new Date()) ? clock.format(at) : full.format(at);
      if (el.textContent !== text) el.textContent = text;
    }
  }
  setInterval(() => $$("time:is([data-rel], [data-since])").forEach(localise), 10000);

  // Forms: what was sent is no longer unsaved; what was typed meanwhile stays.
  const key = (el) => `keep:${location.pathname}:${el.name}`;
  addEventListener("htmx:afterRequest", ({ detail }) => {
    const form = detail.elt.closest?.("form");
    // htmx counts a form that comes back with its errors (422) as a success.
    if (!form || !detail.successful || detail.xhr.status >= 400 || detail.requestConfig.verb === "get") return;
    for (const el of $$("textarea, input[type=text]", form)) {
      const sent = detail.requestConfig.formData.get(el.name)?.replaceAll("\r\n", "\n");
      if (sent === undefined) continue;
      if (!form.hasAttribute("data-reset")) { el.defaultValue = sent; continue; }
      el.value = el.value.startsWith(sent) ? el.value.slice(sent.length) : el.value;
      sessionStorage.removeItem(key(el));
    }
    $$(form.getAttribute("hx-include") || "[data-none]").forEach((el) => (el.defaultValue = el.value));
    if (form.hasAttribute("data-reset")) $$("[type=file]", form).forEach((el) => (el.value = ""));
    // A goal is given: what comes next is said to the team.
    if (form.id === "goal-form") { $("#mode-say").click(); $("#mode-say").focus({ preventScroll: true }); }
    form.closest("[popover]")?.hidePopover();
    // What was edited in place is said by the line above it now.
    if (form.hasAttribute("data-shut")) shut(form);
  });
  function shut(form) {
    if (form.hasAttribute("data-reset")) form.reset();
    $$("input", form).forEach((el) => { el.defaultValue = el.value; el.defaultChecked = el.checked; });
    const fold = form.closest("details");
    if (!fold) return;
    fold.open = false;
    $("summary", fold).focus();
  }
  // Only what a person asked for is worth a word; what the page loads by itself it tries again.
  const itself = ["save", "reload", "reload-needs", "reload-work", "stale"];
  const byItself = ({ elt, requestConfig: { triggeringEvent } }) =>
    triggeringEvent ? itself.includes(triggeringEvent.type) : /load|every/.test(elt.getAttribute("hx-trigger"));
  addEventListener("htmx:sendError", ({ detail }) => byItself(detail) || toast(navigator.onLine ? words.unsure : words.unsent));
  addEventListener("htmx:responseError", ({ detail }) => byItself(detail) || detail.xhr.responseText.includes("toast") || toast(words.failed));
  addEventListener("input", ({ target }) => target.matches("[data-keep]") && sessionStorage.setItem(key(target), target.value));
  addEventListener("submit", ({ target }) => $$("[data-keep]", target).forEach((el) => target.hasAttribute("hx-post") || sessionStorage.removeItem(key(el))));
  addEventListener("keydown", (event) => {
    const el = event.target;
    if (event.key !== "Enter" || event.isComposing || !el.matches("textarea")) return;
    if (event.ctrlKey || event.metaKey || (el.hasAttribute("data-enter") && !event.shiftKey)) {
      event.preventDefault();
      el.form.requestSubmit();
    }
  });

  // Files: drop them anywhere on the room; say at once which is too large.
  addEventListener("change", ({ target }) => {
    if (target.type !== "file") return;
    const large = [...target.files].find((file) => file.size > +target.dataset.max);
    target.setCustomValidity(large ? `${large.name}: ${words.large}` : "");
    if (large) target.reportValidity();
  });
  for (const type of ["dragover", "dragleave", "drop"])
    addEventListener(type, (event) => {
      const zone = event.target.closest?.("[data-drop]");
      if (!zone || !event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.toggle("is-dropping", type === "dragover");
      if (type !== "drop") return;
      const inputs = $$(zone.dataset.drop), input = inputs.find((el) => el.form.offsetParent) || inputs[0], all = new DataTransfer();
      [...input.files, ...event.dataTransfer.files].forEach((file) => all.items.add(file));
      input.files = all.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
      $("textarea", input.form)?.focus();
    });

  // Small things: copy, theme, rows of a form, closing what is open.
  async function copy(button) {
    const from = $("code, textarea", button.closest(".copy, .rescued"));
    const text = from.value ?? from.textContent;
    try { await navigator.clipboard.writeText(text); } catch {
      getSelection().selectAllChildren(from);
      document.execCommand("copy");
    }
    $("span", button).textContent = words.copied;
    say(words.copied);
  }
  addEventListener("click", ({ target }) => {
    const button = target.closest?.("button, a");
    if (!button) return;
    if (button.hasAttribute("data-copy")) copy(button);
    if (button.hasAttribute("data-close")) button.closest(".toast, .rescued").remove();
    if (button.dataset.setTheme !== undefined) {
      document.documentElement.dataset.theme = button.dataset.setTheme;
      $$("#me [data-set-theme]").forEach((el) => el.setAttribute("aria-pressed", el.dataset.setTheme === button.dataset.setTheme));
    }
    if (button.dataset.addRow) {
      const rows = $$(button.dataset.addRow), row = rows.at(-1).cloneNode(true);
      $$("input, textarea", row).forEach((el) => { el.value = ""; el.removeAttribute("aria-invalid"); });
      $$("details", row).forEach((el) => (el.open = false));
      rows.at(-1).after(row);
      $("input", row).focus();
    }
  });
  const tabs = () => $$(".tabs a").forEach((a) => a.setAttribute("aria-current", a.hash === (location.hash || "#talk")));
  addEventListener("hashchange", tabs);

  window.claw = { $, $$, words, say, localise, clock };
  $$("[data-keep]").forEach((el) => (el.value ||= sessionStorage.getItem(key(el)) || ""));
  $$(".talk").forEach((el) => (el.scrollTop = el.scrollHeight));
  localise(document);
  tabs();
  // A page that comes back with a fault in it is looked at there.
  $('main [aria-invalid="true"]')?.focus();
})();
