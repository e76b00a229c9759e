/* The command palette, shortcuts and the sheet of them, undo, and what is said of parts that load or do not. Without
   this file the palette is a page, undo a button on the next page, and nothing has a key. */
(() => {
  "use strict";
  const { $, $$, words, say } = window.claw;
  const root = document.documentElement;
  const visible = (el) => el.checkVisibility({ visibilityProperty: true });

  // Where one was lately, in this tab only; whoever signs in next does not see it.
  const person = document.body.dataset.person || "", KEPT = "places", MOST = 8;
  function places() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT) || "{}");
      return kept.person === person ? kept.places : [];
    } catch { return []; }
  }
  function remember() {
    if (!person) return sessionStorage.removeItem(KEPT);
    if ($("main .oops") || location.pathname === "/go/") return;
    const here = { href: location.pathname + location.search, title: document.title.replace(/^\(\d+\) | · Claw Groups$/g, "") };
    const others = places().filter((one) => one.href !== here.href);
    sessionStorage.setItem(KEPT, JSON.stringify({ person, places: [here, ...others].slice(0, MOST + 1) }));
  }
  remember();

  // Dialogs: opened by whatever names them, closed by their cross, by Escape, or by a click beside them.
  addEventListener("click", (event) => {
    const el = event.target.closest?.("[data-open], [data-shut-dialog], dialog a, dialog button:not([type=button])");
    if (event.target.matches?.("dialog")) event.target.close();
    if (!el || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (!el.dataset.open) return void el.closest("dialog")?.close();
    event.preventDefault();
    el.closest("[popover]")?.hidePopover();
    open(el.dataset.open);
  });
  function open(id) {
    const el = document.getElementById(id);
    if (!el || el.open) return;
    if (id === "keys") sheet();
    el.showModal();
    if (id !== "go") return;
    input.select();
    input.dispatchEvent(new Event("look"));
  }

  // Popovers: one that opens takes the focus, and one that the focus has left is closed, since nothing may lie over what
  // has it. Escape closes it, and gives the focus back to what opened it, by itself.
  addEventListener("toggle", ({ target, newState }) => {
    if (newState !== "open" || !target.matches?.("[popover]") || target.contains(document.activeElement)) return;
    $$("[autofocus], a[href], button, input:not([type=hidden]), select, textarea, summary", target).find(visible)?.focus();
  }, true);
  addEventListener("focusin", ({ target }) => {
    // A click on what opened it closes it by itself.
    const clicked = !target.matches?.(":focus-visible");
    for (const over of $$("[popover]:popover-open"))
      if (!over.contains(target) && !(clicked && target.popoverTargetElement === over)) over.hidePopover();
  });

  // The palette: a field that commands a list.
  const dialog = $("#go"), input = $("#go-input");
  const options = () => $$("[role=option]", dialog);
  let chosen = 0, wanted = null;
  function choose(index) {
    const all = options();
    chosen = all.length ? (index + all.length) % all.length : 0;
    all.forEach((el, place) => el.setAttribute("aria-selected", place === chosen));
    if (!all.length) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", all[chosen].id);
    all[chosen].scrollIntoView({ block: "nearest" });
  }
  function found() {
    const list = $("#go-list"), all = $("#go-found");
    if (!all.dataset.q) {
      const model = $("[role=option] a", list)?.closest("li");
      // Where one was lately comes first; the page one is on does not.
      const lately = model ? places().filter((one) => one.href !== location.pathname + location.search) : [];
      list.prepend(...lately.slice(0, MOST).map((one, place) => {
        const line = model.cloneNode(true), link = $("a", line);
        line.id = `go-lately-${place}`;
        link.href = one.href;
        link.innerHTML = $("#lately").innerHTML;
        $(".clip", link).textContent = one.title;
        return line;
      }));
    }
    choose(0);
    $("#go-count").textContent = `${options().length} ${words.found}`;
    if (wanted && all.dataset.q === input.value.trim()) act(wanted.away);
    wanted = null;
  }
  function act(away) {
    const option = options()[chosen], link = option && $("a", option);
    if (!option) return;
    if (link && away) return void window.open(link.href, "_blank", "noopener");
    dialog.close();
    (link || $("button", option)).click();
  }
  input?.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) { event.preventDefault(); choose(Math.abs(step) > 1 ? Math.min(Math.max(chosen + step, 0), options().length - 1) : chosen + step); }
    if (event.key !== "Enter") return;
    event.preventDefault();
    const away = event.ctrlKey || event.metaKey;
    // What is typed may not have been looked up yet.
    if ($("#go-found").dataset.q !== input.value.trim()) wanted = { away };
    else act(away);
  });
  addEventListener("htmx:afterSwap", ({ detail }) => detail.requestConfig?.elt === input && found());

  // Keys. A template declares one (`data-key="t"`, `data-key="g w"`); it presses, follows or focuses what has it.
  const on = () => root.dataset.keys !== "off";
  const typing = (el) => el.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const withKey = () => $$("[data-key]").filter(visible);
  const nameOf = (el) => el.dataset.keyName || el.ariaLabel || el.labels?.[0]?.textContent || el.textContent;
  const ROWS = "main :is([data-walk] > *, .rows > li, .cards > *, article.task, .side li)";
  const STOPS = "a[href], button:not([disabled]), summary, input:not([type=hidden])";
  let before = "", forget = 0;
  function declare() {
    for (const el of $$("[data-key]")) {
      const long = el.dataset.open ? " Control+K Meta+K" : "";
      const keys = (on() && !el.dataset.key.includes(" ") ? el.dataset.key : "") + long;
      if (keys) el.setAttribute("aria-keyshortcuts", keys.trim());
      else el.removeAttribute("aria-keyshortcuts");
    }
  }
  function walk(step) {
    const rows = $$(ROWS).filter((el) => visible(el) && $(STOPS, el));
    const now = rows.findLastIndex((el) => el.contains(document.activeElement));
    const to = rows[now < 0 ? (step > 0 ? 0 : rows.length - 1) : now + step];
    if (!to) return;
    $$(STOPS, to).find(visible)?.focus();
    to.scrollIntoView({ block: "nearest" });
  }
  function press(key) {
    const all = withKey(), el = all.find((one) => one.dataset.key === key);
    if (key === "?") open("keys");
    else if (key === "j" || key === "k") walk(key === "j" ? 1 : -1);
    else if (el) el.matches("input, textarea, select") ? el.focus() : el.click();
    else if (all.some((one) => one.dataset.key.startsWith(`${key} `))) {
      before = key;
      forget = setTimeout(() => (before = ""), 1500);
    } else return false;
    return true;
  }
  addEventListener("keydown", (event) => {
    const { key, target } = event;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && key.toLowerCase() === "k" && dialog) {
      event.preventDefault();
      return dialog.open ? dialog.close() : $("dialog[open]") || open("go");
    }
    if (!on() || !person || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (key.length !== 1 || key === " " || typing(target) || $("dialog[open], :popover-open")) return;
    const whole = before ? `${before} ${key}` : key;
    before = "";
    clearTimeout(forget);
    if (press(whole)) event.preventDefault();
  });
  addEventListener("change", ({ target }) => {
    if (!target.matches?.("[data-set-keys]")) return;
    if (target.checked) delete root.dataset.keys;
    else root.dataset.keys = "off";
    target.form.requestSubmit();
    declare();
    sheet();
  });
  addEventListener("htmx:afterSwap", declare);
  declare();

  // The sheet says what has a key on this page.
  function sheet() {
    const here = $("#keys-here"), known = new Set();
    here.replaceChildren();
    for (const el of withKey()) {
      if (known.has(el.dataset.key) || el.closest("dialog")) continue;
      known.add(el.dataset.key);
      const line = document.createElement("div"), name = document.createElement("dt"), keys = document.createElement("dd");
      name.textContent = nameOf(el).trim();
      for (const key of el.dataset.key.split(" ")) keys.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
      line.dataset.single = "";
      line.append(name, keys);
      here.append(line);
    }
    // Keys that act on what has the focus, and press nothing by themselves.
    for (const more of $$("template[data-more-keys]")) here.append(more.content.cloneNode(true));
  }

  // An address may name what is shut (#about) or not chosen (#mode-goal): it is opened, chosen.
  function reveal() {
    const el = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!el || !el.closest("main")) return;
    if (el.hasAttribute("popover")) return void (el.matches(":popover-open") || el.showPopover());
    if (!el.matches("[type=radio]")) return;
    el.click();
    $$("textarea", el.closest(".compose") || document).find(visible)?.focus();
  }
  addEventListener("hashchange", reveal);
  reveal();

  // Offers to take something back stand for a while, longer while somebody is on them; of several the newest three.
  const LONG = 20000;
  new MutationObserver(() => {
    const offers = $$("#toasts > .toast:not(.toast--bad)");
    offers.slice(0, -3).forEach((el) => el.remove());
    offers.forEach((el) => (el.dataset.until ||= Date.now() + LONG));
  }).observe($("#toasts"), { childList: true });
  setInterval(() => {
    for (const el of $$("#toasts > [data-until]"))
      if (el.matches(":hover, :focus-within") || document.hidden) el.dataset.until = Date.now() + LONG / 2;
      else if (+el.dataset.until < Date.now()) el.remove();
  }, 1000);
  addEventListener("htmx:afterRequest", ({ detail }) => {
    const form = detail.elt.closest?.("form.undo");
    if (form && detail.xhr.status) (form.closest(".toast") || form).remove();
  });

  // What loads says so, if it takes long enough to notice; what could not be loaded says that, and is tried again where
  // it stands. What the page asks for behind what is shown (`reload`) shows nothing while it loads.
  const asked = new WeakMap();
  const silent = ({ requestConfig, elt }) => elt === input || ["reload", "save"].includes(requestConfig?.triggeringEvent?.type);
  const isPart = (el) => $("#page")?.contains(el) && el.id && !el.matches("a, button, form, input, textarea, select, li, tr, svg, g");
  addEventListener("htmx:beforeSend", ({ detail }) => {
    if (silent(detail) || !$("#page").contains(detail.target)) return;
    const { target } = detail;
    clearTimeout(asked.get(target));
    asked.set(target, setTimeout(() => target.setAttribute("aria-busy", "true"), 300));
  });
  addEventListener("htmx:afterRequest", ({ detail }) => {
    const { target, elt } = detail;
    clearTimeout(asked.get(target));
    target.removeAttribute("aria-busy");
    $$("progress.upload", elt).forEach((el) => el.remove());
    if (!elt.hasAttribute?.("hx-get") || !isPart(elt) || detail.requestConfig.verb !== "get") return;
    const failed = !detail.xhr.status || detail.xhr.status >= 500, line = $(":scope > .again", elt);
    if (!failed) return void line?.remove();
    if (line) return;
    elt.prepend($("#again").content.firstElementChild.cloneNode(true));
  });
  addEventListener("click", ({ target }) => {
    const part = target.closest?.("[data-again]") && target.closest("[hx-get]");
    if (!part) return;
    part.setAttribute("aria-busy", "true");
    htmx.ajax("GET", part.getAttribute("hx-get"), { source: part, target: part, swap: "merge" });
  });
  // How far a file has got.
  addEventListener("htmx:xhr:progress", ({ target, detail }) => {
    if (!detail.lengthComputable || detail.total < 200000 || !target.matches?.("form") || !$("[type=file]", target)) return;
    let bar = $("progress.upload", target);
    if (!bar) target.append((bar = Object.assign(document.createElement("progress"), { className: "upload", max: 1, ariaLabel: words.sending })));
    bar.value = detail.loaded / detail.total;
    if (detail.loaded === detail.total) bar.removeAttribute("value");
  });
})();
