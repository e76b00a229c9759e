/* The editor of a draft: it saves while one types and says how that goes; and tables move by keys. Without this file
   the buttons do the same. */
(() => {
  "use strict";
  const { $, $$ } = window.claw;
  const PAUSE = 1500, LONGEST = 10000, AGAIN = 4000, BEACON = 60000;
  const DRAFT = "textarea.draft[data-base]";
  const editor = () => $(DRAFT);
  const isNew = (el) => el.value !== el.defaultValue;
  const state = (el, is) => (is ? (el.dataset.state = is) : delete el.dataset.state);
  let timer = 0, since = 0, sent = "", taken = null;

  // As the server counts: a character outside the first plane is one, not two.
  function fits(el) {
    const most = +el.dataset.most, text = el.value;
    const length = text.length > most ? text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g) || []).length : 0;
    el.setCustomValidity(length > most ? $(".desk__long").textContent.trim() : "");
    if (length > most) state(el, "long");
    else if (el.dataset.state === "long") state(el, "");
    return length <= most;
  }
  function soon(el) {
    clearTimeout(timer);
    if (!fits(el)) return;
    since ||= Date.now();
    if (["", "behind", "pasted", "unpasted"].includes(el.dataset.state || "")) state(el, "typing");
    timer = setTimeout(save, Math.min(PAUSE, Math.max(0, since + LONGEST - Date.now())));
  }
  function save() {
    const el = editor();
    clearTimeout(timer);
    timer = since = 0;
    // What a button is taking along, perhaps out of these hands, is not saved behind it.
    if (el && taken && taken.readyState !== 4) return taken.addEventListener("loadend", () => soon(el), { once: true });
    if (el && isNew(el) && fits(el)) htmx.trigger(el, "save");
    else if (el && !isNew(el) && el.dataset.state === "typing") state(el, "");
  }
  addEventListener("input", ({ target }) => target.matches?.(DRAFT) && soon(target));
  // A paste of more than any draft holds would only bring the page to a standstill: it becomes a file.
  addEventListener("paste", (event) => {
    const el = event.target, text = el.matches?.(DRAFT) ? event.clipboardData?.getData("text/plain") || "" : "";
    const input = $("#held-files");
    if (!input || text.length <= +el.dataset.most) return;
    event.preventDefault();
    const all = new DataTransfer();
    all.items.add(new File([text], "pasted.txt", { type: "text/plain" }));
    const most = +input.dataset.max, is = all.files[0].size > most ? "unpasted" : "pasted";
    if (is === "pasted") {
      input.files = all.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    }
    state(el, is);
    claw.say($(`.desk__${is}`).textContent.trim());
  });
  addEventListener("online", save);
  document.addEventListener("visibilitychange", () => document.hidden && save());

  // A save on its way makes a version that nobody here knows yet: what brings the text along by a button waits for it,
  // or one would be told that one's own words of a second ago are somebody else's.
  let saving = null;
  addEventListener("htmx:beforeSend", ({ detail }) => {
    const { elt, formData } = detail.requestConfig;
    if (elt.matches?.(DRAFT)) saving = detail.xhr;
    else if (elt.closest?.(".hands") && formData?.has("text")) taken = detail.xhr;
  });
  addEventListener("htmx:confirm", (event) => {
    const { elt, verb, issueRequest } = event.detail;
    if (!saving || saving.readyState === 4 || verb === "get" || elt.matches(DRAFT) || !elt.closest(".hands")) return;
    event.preventDefault();
    saving.addEventListener("loadend", () => issueRequest());
  });

  // The version that the text in the editor began from goes along with it, wherever it goes: the page around it may
  // know of a newer one by now.
  addEventListener("htmx:configRequest", ({ detail }) => {
    const el = editor(), given = detail.formData;
    if (!el || !detail.elt.closest?.(".hands")) return;
    if (given.has("text")) {
      given.set("base", el.dataset.base);
      if (el.dataset.kept) given.set("kept", el.dataset.kept);
      sent = el.value;
    } else if (given.has("choice") && el.dataset.kept === given.get("kept")) given.set("text", el.value);
  });
  addEventListener("draft:saved", ({ detail }) => {
    const el = editor();
    if (!el) return;
    el.dataset.base = detail.version;
    delete el.dataset.kept;
  });
  addEventListener("draft:refused", ({ detail }) => {
    const el = editor();
    if (!el) return;
    if (detail.kept) el.dataset.kept = detail.kept;
    state(el, detail.code === "draft_moved" ? "moved" : "");
    // What is kept need not be rescued when the editor goes.
    if (detail.code === "not_holder" && el.value === sent) el.defaultValue = el.value;
  });
  addEventListener("draft:chosen", () => {
    const el = editor();
    if (!el) return;
    delete el.dataset.kept;
    state(el, "");
    el.defaultValue = el.value;
    el.blur();
  });
  addEventListener("htmx:beforeOnLoad", (event) => {
    // Who is signed out is not led away from what they type.
    if (event.detail.elt.matches?.(DRAFT) && event.detail.xhr.status === 401) event.preventDefault();
  });
  addEventListener("htmx:afterRequest", ({ detail }) => {
    const el = editor(), status = detail.xhr.status;
    if (!el || !(detail.elt === el || (detail.elt.form || detail.elt) === el.form)) return;
    if (status >= 200 && status < 300) isNew(el) ? soon(el) : state(el, "");
    else if (status === 0 || status >= 500) {
      state(el, "offline");
      clearTimeout(timer);
      timer = setTimeout(save, AGAIN);
    } else if (status === 413) state(el, "long");
    else if (status === 401) state(el, "out");
    else if (status !== 409) state(el, "failed");
  });

  // Another window saved while this one had the cursor: its text is not changed under it, but it is said.
  function behind() {
    const el = editor(), known = el && $(".desk__saved[data-version]", el.closest(".desk"));
    if (!known || isNew(el) || (el.dataset.state && el.dataset.state !== "behind")) return;
    state(el, known.dataset.version > 0 && +known.dataset.version !== +el.dataset.base ? "behind" : "");
  }
  addEventListener("htmx:afterSwap", behind);
  addEventListener("click", ({ target }) => {
    const el = target.closest?.("[data-show-newer]") && editor(), page = el && $("[id^=task-body-]");
    if (!page) return;
    state(el, "");
    el.blur();
    page.dispatchEvent(new Event("reload"));
  });

  // The task left these hands, or the page: what was typed since it was saved last goes to the server all the same.
  const given = (el) => {
    const said = new FormData(), token = $("[name=csrfmiddlewaretoken]", el.form || document);
    said.set("text", el.value);
    said.set("base", el.dataset.base);
    if (el.dataset.kept) said.set("kept", el.dataset.kept);
    if (token) said.set("csrfmiddlewaretoken", token.value);
    return said;
  };
  addEventListener("rescued", async ({ target, detail }) => {
    if (!target.matches?.(DRAFT) || !fits(target)) return;
    const body = given(target), page = $("[id^=task-body-]");
    const headers = { ...JSON.parse(document.body.getAttribute("hx-headers")), "HX-Request": "true" };
    const answer = await fetch(target.getAttribute("hx-post"), { method: "POST", body, headers }).catch(() => null);
    if (answer?.status !== 409 || !answer.headers.get("HX-Trigger")?.includes('"kept": ')) return;
    detail.box.remove();
    if (page) page.dispatchEvent(new Event("reload"));
  });
  addEventListener("beforeunload", (event) => {
    const el = editor();
    if (el && isNew(el) && (el.value.length > BEACON || el.dataset.state)) { save(); if (el.dataset.state !== "typing") event.preventDefault(); }
  });
  addEventListener("pagehide", () => {
    const el = editor();
    if (el && isNew(el) && el.value.length <= BEACON) navigator.sendBeacon(el.getAttribute("hx-post"), given(el));
  });

  // Tables: keys go from cell to cell, and what is copied from a spreadsheet fills as many as it has.
  const cell = (row, column) => document.getElementById(`cell-${row}-${column}`);
  const place = (el) => el.id.split("-").slice(1).map(Number);
  function go(event, rows, columns) {
    const [row, column] = place(event.target), to = cell(row + rows, column + columns);
    if (!to) return;
    event.preventDefault();
    to.focus();
    to.select();
  }
  addEventListener("keydown", (event) => {
    const el = event.target;
    if (!el.matches?.(".grid__cell") || event.isComposing) return;
    const whole = el.selectionStart === 0 && el.selectionEnd === el.value.length;
    const one = el.matches("input");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); el.form.requestSubmit(); }
    else if (event.key === "Enter" && one) { event.preventDefault(); go(event, event.shiftKey ? -1 : 1, 0); }
    else if (event.key === "ArrowDown" && one) go(event, 1, 0);
    else if (event.key === "ArrowUp" && one) go(event, -1, 0);
    else if (event.key === "ArrowRight" && (whole || el.selectionStart === el.value.length)) go(event, 0, 1);
    else if (event.key === "ArrowLeft" && el.selectionEnd === 0) go(event, 0, -1);
  });
  addEventListener("paste", (event) => {
    const el = event.target, text = event.clipboardData?.getData("text/plain") || "";
    if (!el.matches?.(".grid__cell") || !/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    const [top, left] = place(el);
    text.replace(/\r?\n$/, "").split(/\r?\n/).forEach((line, r) =>
      line.split("\t").forEach((value, c) => { const to = cell(top + r, left + c); if (to) to.value = value; }));
  });
  const target = location.hash.startsWith("#cell-") && document.getElementById(location.hash.slice(1));
  if (target) target.focus();
})();
