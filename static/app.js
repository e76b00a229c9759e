/* What makes the pages live. Without this file everything still works, by reloading. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const words = $("#words").dataset;

  // Merging. A fragment becomes part of the page; focus, scroll, open folds and typed text stay as they are.
  const reloads = new Set();
  const dirty = (el) =>
    el.matches("textarea, input:not([type=hidden], [type=submit])") &&
    (el.type === "file" ? el.files.length > 0
      : ["checkbox", "radio"].includes(el.type) ? el.checked !== el.defaultChecked : el.value !== el.defaultValue);
  const callbacks = {
    beforeNodeMorphed(old, fresh) {
      if (old.nodeType !== 1 || fresh.nodeType !== 1) return true;
      if (dirty(old) || (old === document.activeElement && old.matches("textarea, input, select"))) return false;
      if (old.matches("time") && old.dateTime === fresh.dateTime) return false;
      // The viewer's own part (buttons, forms): a neutral fragment brings it empty. Keep it, load it anew if outdated.
      if (old.hasAttribute("data-own") && !fresh.firstElementChild) {
        if (old.dataset.version !== fresh.dataset.version) reloads.add(old);
        old.dataset.version = fresh.dataset.version;
        return false;
      }
      if (fresh.dataset.say && fresh.dataset.say !== old.dataset.say) say(fresh.dataset.say);
      return true;
    },
    beforeAttributeUpdated: (name, el) => !(name === "open" && el.matches("details")),
    beforeNodeRemoved(node) {
      if (node.nodeType !== 1) return true;
      [node, ...$$("textarea", node)].filter((el) => el.matches("textarea") && dirty(el)).forEach(rescue);
      // Words that stream in are ahead of the rows; what was rescued is closed by the reader.
      return !node.matches(".turn__live, .rescued") && !tails.has(node.id.slice(5));
    },
  };
  const morph = (old, fresh) => Idiomorph.morph(old, fresh, { morphStyle: "outerHTML", callbacks });

  function place(list, el) {
    const after = $$(":scope > [data-ordinal]", list).find((other) => +other.dataset.ordinal > +el.dataset.ordinal);
    const low = list.scrollHeight - list.scrollTop - list.clientHeight < 120;
    list.insertBefore(el, after || null);
    if (low) list.scrollTop = list.scrollHeight;
    if (el.dataset.say) say(el.dataset.say);
    return [el];
  }
  htmx.defineExtension("merge", {
    isInlineSwap: (style) => style === "merge",
    handleSwap(style, target, fragment) {
      if (style !== "merge") return false;
      const merged = [...fragment.children].flatMap((el) => {
        const there = document.getElementById(el.id);
        if (!there && target.hasAttribute("data-list")) return place(target, el);
        morph(there || target, el);
        return [document.getElementById(el.id)].filter(Boolean);
      });
      merged.forEach(settle);
      return merged;
    },
  });
  // A page shows a part of what changes: pieces without a place in it are left out.
  function fitting(html) {
    const parsed = Object.assign(document.createElement("template"), { innerHTML: html });
    for (const el of [...parsed.content.children]) {
      const list = el.getAttribute("hx-swap-oob")?.split(":")[1];
      if (el.hasAttribute("hx-swap-oob") && !document.getElementById(el.id) && !(list && $(list))) el.remove();
    }
    return parsed.innerHTML;
  }
  addEventListener("htmx:beforeSwap", ({ detail }) => (detail.serverResponse = fitting(detail.serverResponse)));
  function settle(root) {
    localise(root);
    tails.forEach((_, part) => showTail(part));
    queueMicrotask(() => {
      reloads.forEach((el) => el.isConnected && htmx.trigger(el, "reload"));
      reloads.clear();
      watch();
    });
  }
  function rescue(el) {
    const box = $("#rescued").content.firstElementChild.cloneNode(true);
    $("textarea", box).value = el.value;
    $("#page").prepend(box);
  }

  // One socket for all workspaces of the page; a cursor for each: no gap, no double.
  const cursors = new Map();
  let socket, timer, slow, tries = 0, pause = 0, watched = "";
  const send = (message) => socket?.readyState === 1 && socket.send(JSON.stringify(message));
  const subscribe = (c, workspace) => send({ type: "subscribe", workspace, generation: c.generation, after: c.seq });

  function readCursors() {
    for (const one of ($("#page").dataset.workspaces || "").split(" ").filter(Boolean)) {
      const [id, generation, seq] = one.split(":");
      cursors.set(id, { generation: +generation, seq: +seq });
    }
  }
  function connect() {
    if (!cursors.size) return;
    watched = "";
    socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws/");
    socket.onopen = () => { cursors.forEach(subscribe); watch(); };
    socket.onmessage = (event) => receive(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (event.code === 4401 || event.code === 4403) return link("off");
      slow ||= setTimeout(link, 1200, "lost");
      const wait = pause ? 1000 * pause : Math.min(30000, 500 * 2 ** tries++);
      pause = 0;
      timer = setTimeout(connect, wait * (0.5 + Math.random() / 2));
    };
  }
  function link(state) {
    clearTimeout(slow);
    slow = 0;
    const el = $("#link");
    if (el.dataset.state === state) return;
    el.textContent = state === "open" ? "" : words[state];
    el.dataset.state = state;
  }
  function receive(m) {
    const c = cursors.get(m.workspace);
    if (m.type === "live") return live(m);
    if (m.type === "draining") return void (pause = m.retry_after || 1);
    if (!c) return;
    if (m.type === "reset" || (m.generation !== undefined && m.generation !== c.generation)) return refresh();
    if (m.type === "hello") { tries = 0; link("open"); }
    if (m.type === "fragments" && m.seq > c.seq) {
      c.seq = m.seq;
      const html = fitting(m.html || "");
      if (html) htmx.swap(document.body, html, { swapStyle: "none" });
      send({ type: "ack", workspace: m.workspace, seq: m.seq });
    }
    // A hint of ours may be lost: what the head promises and does not come is asked for.
    if (m.head > c.seq) setTimeout(() => m.head > c.seq && subscribe(c, m.workspace), 3000);
  }
  async function refresh() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    const fresh = answer?.ok && $("#page", new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (!fresh) return void setTimeout(refresh, 5000 + 5000 * Math.random());
    morph($("#page"), fresh);
    htmx.process($("#page"));
    settle($("#page"));
    readCursors();
    cursors.forEach(subscribe);
  }
  addEventListener("online", () => { clearTimeout(timer); if (socket?.readyState > 1) connect(); });
  addEventListener("pageshow", (event) => event.persisted && refresh());

  // Streaming text of the attempt on the page. It may be lost; the transcript is loaded from rows anyway.
  function watch() {
    const attempt = $("[data-watch]")?.dataset.watch || "";
    if (attempt === watched || socket?.readyState !== 1) return;
    if (watched) send({ type: "unwatch", attempt: watched });
    if (attempt) send({ type: "watch", attempt });
    watched = attempt;
  }
  const tails = new Map(); // part -> the streamed characters, and where in the part they begin
  function live({ attempt, part, text, at, ordinal, kind }) {
    const thread = document.getElementById(`thread-${attempt}`);
    if (!thread || !["text", "thought"].includes(kind)) return;
    if (!document.getElementById(`part-${part}`)) {
      const turn = Object.assign(document.createElement("li"), { id: `part-${part}`, className: `turn turn--${kind}` });
      turn.dataset.ordinal = ordinal;
      place(thread, turn);
    }
    const known = tails.get(part), chars = [...text], end = known ? known.at + known.chars.length : -1;
    if (known && at <= end) known.chars.push(...chars.slice(end - at));
    else tails.set(part, { at, chars });
    showTail(part);
  }
  function showTail(part) {
    const turn = document.getElementById(`part-${part}`), tail = tails.get(part);
    const more = turn ? tail.chars.slice(Math.max(0, (+turn.dataset.length || 0) - tail.at)).join("") : "";
    let box = turn && $(".turn__live", turn);
    if (!more) { box?.remove(); tails.delete(part); return; }
    if (!box) turn.append((box = Object.assign(document.createElement("div"), { className: "turn__live" })));
    box.textContent = more;
  }

  // What a screen reader hears: politely, and not every frame.
  const said = new Set();
  let speaking = 0;
  function say(text) {
    said.add(text);
    speaking ||= setTimeout(() => { $("#announcer").textContent = [...said].join(". "); said.clear(); speaking = 0; }, 1500);
  }
  function toast(text) {
    const el = $("#toast").content.firstElementChild.cloneNode(true);
    $("span", el).textContent = text;
    $("#toasts").append(el);
  }

  // Times in the reader's zone; deadlines count down.
  const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
  const full = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  function localise(root) {
    for (const el of [...(root.matches?.("time") ? [root] : []), ...$$("time[datetime]", root)]) {
      const at = new Date(el.dateTime), seconds = (at - Date.now()) / 1000, size = Math.abs(seconds);
      el.title = full.format(at);
      el.textContent = "rel" in el.dataset
        ? size < 90 ? relative.format(Math.round(seconds), "second") : size < 5400 ? relative.format(Math.round(seconds / 60), "minute")
          : size < 129600 ? relative.format(Math.round(seconds / 3600), "hour") : relative.format(Math.round(seconds / 86400), "day")
        : at.toDateString() === new Date().toDateString() ? clock.format(at) : full.format(at);
    }
  }
  setInterval(() => $$("time[data-rel]").forEach(localise), 10000);

  // Forms: what was sent is no longer unsaved; what was typed meanwhile stays.
  const key = (el) => `keep:${location.pathname}:${el.name}`;
  addEventListener("htmx:afterRequest", ({ detail }) => {
    const form = detail.elt.closest?.("form");
    if (!form || !detail.successful || detail.requestConfig.verb === "get") return;
    for (const el of $$("textarea, input[type=text]", form)) {
      const sent = detail.requestConfig.formData.get(el.name)?.replaceAll("\r\n", "\n");
      if (sent === undefined) continue;
      if (!form.hasAttribute("data-reset")) { el.defaultValue = sent; continue; }
      el.value = el.value.startsWith(sent) ? el.value.slice(sent.length) : el.value;
      sessionStorage.removeItem(key(el));
    }
    if (form.hasAttribute("data-reset")) $$("[type=file]", form).forEach((el) => (el.value = ""));
    form.closest("[popover]")?.hidePopover();
  });
  addEventListener("htmx:sendError", () => toast(words.unsent));
  addEventListener("htmx:responseError", ({ detail }) => detail.xhr.responseText.includes("toast") || toast(words.failed));
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
      const input = $(zone.dataset.drop), all = new DataTransfer();
      [...input.files, ...event.dataTransfer.files].forEach((file) => all.items.add(file));
      input.files = all.files;
      const mode = $("#mode-goal");
      if (mode) mode.checked = true;
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
    if (button.dataset.setTheme !== undefined) document.documentElement.dataset.theme = button.dataset.setTheme;
    if (button.dataset.addRow) {
      const rows = $$(button.dataset.addRow), row = rows.at(-1).cloneNode(true);
      $$("input", row).forEach((el) => { el.value = ""; el.removeAttribute("aria-invalid"); });
      rows.at(-1).after(row);
      $("input", row).focus();
    }
  });
  const tabs = () => $$(".tabs a").forEach((a) => a.setAttribute("aria-current", a.hash === (location.hash || "#talk")));
  addEventListener("hashchange", tabs);

  $$("[data-keep]").forEach((el) => (el.value ||= sessionStorage.getItem(key(el)) || ""));
  $$(".talk").forEach((el) => (el.scrollTop = el.scrollHeight));
  localise(document);
  tabs();
  readCursors();
  connect();
})();
