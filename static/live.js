/* What makes the pages live: merging fragments, one socket, streaming text. Without this file pages work by reloading. */
(() => {
  "use strict";
  const { $, $$, words, say, localise } = window.claw;

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
      if (old.hasAttribute("data-own") && !fresh.hasAttribute("data-loaded")) {
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
      if (!el.hasAttribute("hx-swap-oob")) continue;
      if (document.getElementById(el.id)) el.setAttribute("hx-swap-oob", "merge");
      else if (!list || !$(list)) el.remove();
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
  let socket, timer, slow, tries = 0, pause = 0, watched = "", heard = 0;
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
    socket.onopen = () => { heard = Date.now(); cursors.forEach(subscribe); watch(); };
    socket.onmessage = (event) => { heard = Date.now(); receive(JSON.parse(event.data)); };
    socket.onclose = (event) => {
      if (event.code === 4401 || event.code === 4403) return link("off");
      slow ||= setTimeout(link, 1200, "lost");
      const wait = pause ? 1000 * pause : Math.min(30000, 500 * 2 ** tries++);
      pause = 0;
      timer = setTimeout(connect, wait * (0.5 + Math.random() / 2));
    };
  }
  // A line that was cut without a word is known by its silence: a head comes every 15 seconds.
  setInterval(() => {
    if (socket?.readyState !== 1 || Date.now() - heard < 45000) return;
    const { onclose } = socket;
    socket.onclose = socket.onmessage = null;
    socket.close();
    onclose({ code: 1006 });
  }, 5000);
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
      // What stands above it is complete now: let its rows take its place.
      htmx.trigger(thread, "stale");
    }
    const known = tails.get(part), chars = [...text], end = known ? known.at + known.chars.length : -1;
    if (known && at <= end) known.chars.push(...chars.slice(end - at));
    else tails.set(part, { at, chars });
    showTail(part);
  }
  function showTail(part) {
    const turn = document.getElementById(`part-${part}`), tail = tails.get(part), stored = +turn?.dataset.length || 0;
    // The stream began, or went on, after words that are not here: they are in the rows within a second.
    if (turn && tail.at > stored) { $(".turn__live", turn)?.remove(); return refill(turn); }
    // Once its attempt is over, the rows alone say what counted.
    const over = turn?.closest(".thread").id !== `thread-${$("[data-watch]")?.dataset.watch}`;
    const more = turn && !over ? tail.chars.slice(stored - tail.at).join("") : "";
    let box = turn && $(".turn__live", turn);
    if (!more) { box?.remove(); tails.delete(part); return; }
    if (!box) turn.append((box = Object.assign(document.createElement("div"), { className: "turn__live" })));
    box.textContent = more;
  }
  let refilling = 0;
  function refill(turn) {
    refilling ||= setTimeout(() => {
      refilling = 0;
      const from = turn.closest("[data-watch]");
      if (from) htmx.trigger(from, "reload");
    }, 1000);
  }

  readCursors();
  connect();
})();
