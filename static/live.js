/* What makes the pages live: merging fragments, one socket, streaming text. Without this file pages work by reloading. */
(() => {
  "use strict";
  const { $, $$, words, say, localise } = window.claw;

  // Merging. A fragment becomes part of the page; focus, scroll, open folds and typed text stay as they are.
  const reloads = new Set();
  // It does not bubble: what stands around a part that is outdated is not outdated itself.
  const reload = (el) => el.dispatchEvent(new Event("reload"));
  const dirty = (el) =>
    el.matches("textarea, input:not([type=hidden], [type=submit])") &&
    (el.type === "file" ? el.files.length > 0
      : ["checkbox", "radio"].includes(el.type) ? el.checked !== el.defaultChecked : el.value !== el.defaultValue);
  const callbacks = {
    beforeNodeMorphed(old, fresh) {
      if (old.nodeType !== 1 || fresh.nodeType !== 1) return true;
      if (old.hasAttribute("data-kept") || dirty(old) || (old === document.activeElement && old.matches("textarea, input, select"))) return false;
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
    beforeAttributeUpdated: (name, el) =>
      !(name === "open" && el.matches("details")) && !(name === "hidden" && el.matches("[data-to-end]")) &&
      !(name === "tabindex" && el === document.activeElement) &&
      // Which of many one is at, by arrow keys, is nobody else's business.
      !((name === "tabindex" || name === "aria-current") && el.hasAttribute("data-rove")),
    beforeNodeAdded(node) {
      if (node.nodeType === 1 && node.matches("section[data-say]")) say(node.dataset.say);
      return true;
    },
    beforeNodeRemoved(node) {
      if (node.nodeType !== 1) return true;
      // Whoever is on a card stays there until they go on, though it matters less by now.
      if (node.contains(document.activeElement) && node.parentNode.closest("[data-part]")) return false;
      [node, ...$$("textarea", node)].filter((el) => el.matches("textarea") && dirty(el)).forEach(rescue);
      // Words that stream in are ahead of the rows; what was rescued is closed by the reader.
      return !node.matches(".turn__live, .rescued") && !tails.has(node.id.slice(5));
    },
  };
  // Where the button that was pressed is gone, one goes on at the heading of what it stood in, not at the page's top.
  function morph(old, fresh) {
    const was = document.activeElement, word = was.textContent, around = [];
    for (let el = was; el !== document.body && el; el = el.parentElement) if (el.id) around.push(el.id);
    Idiomorph.morph(old, fresh, { morphStyle: "outerHTML", callbacks });
    // The same button with another word on it is another button: whoever presses again means what they pressed.
    const other = was === document.activeElement && was.matches("button") && was.textContent !== word;
    if (!around.length || (document.activeElement !== document.body && !other)) return;
    const now = around.map((id) => document.getElementById(id)).find((el) => el && el.offsetParent);
    const named = now && document.getElementById(now.getAttribute("aria-labelledby"));
    const at = named || (now && ($(":scope > :is(h1, h2, h3)", now) || $("h1", now))) || now;
    if (at) { at.tabIndex = -1; at.focus({ preventScroll: true }); }
  }

  // Into its place by number; new ones nearly always belong at the end.
  function place(list, el) {
    note(list);
    let before = list.lastElementChild;
    while (before && !(+before.dataset.ordinal <= +el.dataset.ordinal)) before = before.previousElementSibling;
    // Where earlier lines are on a page of their own, one of them is there.
    if (!before && $(":scope > [data-older]:not([hidden])", list)) return;
    if (before) before.after(el);
    else list.insertBefore(el, $(":scope > [data-ordinal]", list));
    if (el.dataset.say) say(el.dataset.say);
    // What comes one by one is put together when it pauses.
    if (list.matches("[data-follow]")) htmx.trigger(list, "stale");
  }
  // Lists that got something new -> whether their reader was at the end, and so wants to stay there.
  const lists = new Map();
  const atEnd = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 120;
  const note = (list) => lists.has(list) || lists.set(list, { low: atEnd(list), last: list.lastElementChild?.id });
  // Beside a list that follows: the button that says that there is more below.
  const pill = (list) => $(":scope > [data-to-end]", list.parentElement);
  const seen = ({ target }) => target.matches?.("[data-follow]") && atEnd(target) && (pill(target).hidden = true);
  addEventListener("scroll", seen, true);
  addEventListener("click", ({ target }) => {
    const list = $(":scope > [data-follow]", target.closest?.("[data-to-end]")?.parentElement || document.head);
    if (!list) return;
    list.focus({ preventScroll: true });
    list.scrollTop = list.scrollHeight;
  });
  function settleLists() {
    lists.forEach(({ low, last }, list) => {
      if (list.dataset.most) trim(list, low ? +list.dataset.most : 3 * list.dataset.most);
      if (low) list.scrollTop = list.scrollHeight;
      else if (list.matches("[data-follow]") && list.lastElementChild?.id !== last) pill(list).hidden = false;
    });
    lists.clear();
  }
  // A page that is open for days does not grow for days: the oldest lines are on a page of their own.
  function trim(list, most) {
    const lines = $$(":scope > [data-ordinal]", list);
    const old = lines.slice(0, Math.max(0, lines.length - most)).filter((el) => !el.contains(document.activeElement));
    if (old.length) $(":scope > [data-older]", list).hidden = false;
    old.forEach((el) => el.remove());
  }
  // The list on this page that a piece may join. One that shows a part of the whole is loaded anew instead.
  function listFor(el) {
    const named = el.getAttribute("hx-swap-oob").split(":")[1], list = named && $(named);
    if (list?.hasAttribute("data-part")) outdated(list);
    return list?.hasAttribute("data-list") ? list : null;
  }
  // Soon, and while there is always something new not more often than every three seconds.
  const outdatedAt = {}, loadedAt = {};
  function outdated({ id }) {
    outdatedAt[id] ||= setTimeout(() => {
      const list = document.getElementById(id);
      outdatedAt[id] = 0;
      loadedAt[id] = Date.now();
      if (list) reload(list);
    }, Math.max(300, (loadedAt[id] || 0) + 3000 - Date.now()));
  }
  // In the place of the element of the same name, else into the list; what is on the page then.
  function merge(el, target) {
    const there = document.getElementById(el.id);
    if (there) $$("[data-follow]", there).forEach(note);
    // A line that grows leaves whoever reads at the end there.
    const around = there?.parentElement.closest("[data-list][data-most]");
    if (around) note(around);
    if (!there && target.hasAttribute("data-list")) place(target, el);
    else morph(there || target, el);
    const now = document.getElementById(el.id);
    if (now) settle(now);
    return now;
  }
  // What a script has asked for, in the place of the elements of the same names.
  const mergeAll = (html) => [...parsed(html).content.children].forEach((el) => document.getElementById(el.id) && htmx.process(merge(el, document.body)));
  htmx.defineExtension("merge", {
    isInlineSwap: (style) => style === "merge",
    handleSwap: (style, target, fragment) =>
      style === "merge" && [...fragment.children].map((el) => merge(el, target)).filter(Boolean),
  });
  // A page shows a part of what changes: pieces without a place in it are left out.
  const parsed = (html) => Object.assign(document.createElement("template"), { innerHTML: html });
  function fitting(html) {
    if (!html.includes("hx-swap-oob")) return html;
    const all = parsed(html);
    for (const el of [...all.content.children]) {
      if (!el.hasAttribute("hx-swap-oob")) continue;
      const list = listFor(el);
      if (document.getElementById(el.id)) el.setAttribute("hx-swap-oob", "merge");
      else if (!list) el.remove();
    }
    return all.innerHTML;
  }
  addEventListener("htmx:beforeSwap", ({ detail }) => (detail.serverResponse = fitting(detail.serverResponse)));
  let settling = false;
  function settle(root) {
    localise(root);
    tails.forEach((_, part) => showTail(part));
    if (settling) return;
    settling = true;
    queueMicrotask(() => {
      settling = false;
      settleLists();
      reloads.forEach((el) => el.isConnected && reload(el));
      reloads.clear();
      watch();
    });
  }
  function rescue(el) {
    const box = $("#rescued").content.firstElementChild.cloneNode(true);
    $("textarea", box).value = el.value;
    $("#page").prepend(box);
    el.dispatchEvent(new CustomEvent("rescued", { bubbles: true, detail: { box } }));
  }

  // One socket for all workspaces of the page; a cursor for each: no gap, no double.
  const cursors = new Map();
  let socket, timer, slow, leads = false, tries = 0, pause = 0, watched = "", heard = 0;
  const send = (message) => socket?.readyState === 1 && socket.send(JSON.stringify(message));
  function subscribe(c, workspace) {
    c.kinds = placed();
    c.asked = (c.asked || 0) + 1;
    send({ type: "subscribe", workspace, generation: c.generation, after: c.seq, language: document.documentElement.lang, kinds: c.kinds });
  }
  // Of what there are many of: the kinds with a place on this page. No others are made for it.
  const KINDS = { cards: 'article[id^="task-"], [id^="run-tasks-"]', cells: '[id^="fleet-"], [id^="cell-"]', steps: '[id^="thread-"], [id^="plan-"]' };
  const placed = () => Object.keys(KINDS).filter((kind) => $(KINDS[kind]));
  // A part that came has a place for more: that is asked for from where the page stood before the part was asked for,
  // as it shows no less. What comes of the subscription before, until the server's hello, has gaps and is left out.
  function widen(c, workspace, from) {
    if (!c.kinds || placed().every((kind) => c.kinds.includes(kind))) return;
    c.seq = from ?? c.seq;
    subscribe(c, workspace);
  }
  const narrow = (c, workspace) => !c.asked && placed().length < c.kinds?.length && subscribe(c, workspace);
  let requests = 0;
  addEventListener("htmx:xhr:loadstart", () => requests++ || cursors.forEach((c) => (c.since = c.done)));
  addEventListener("htmx:xhr:loadend", () => {
    cursors.forEach((c, workspace) => widen(c, workspace, c.since));
    requests -= 1;
  });
  setInterval(() => requests || cursors.forEach(narrow), 5000);

  function readCursors() {
    for (const one of ($("#page").dataset.workspaces || "").split(" ").filter(Boolean)) {
      const [id, generation, seq] = one.split(":");
      // The same object as before: a timer may still hold it.
      cursors.set(id, Object.assign(cursors.get(id) || {}, { generation: +generation, seq: +seq, done: +seq, head: 0 }));
    }
  }
  function connect() {
    if (!cursors.size && !leads) return;
    watched = "";
    socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws/");
    socket.onopen = () => { heard = Date.now(); cursors.forEach((c, workspace) => { c.asked = 0; subscribe(c, workspace); }); watch(); if (leads) lead(); };
    socket.onmessage = (event) => { heard = Date.now(); receive(JSON.parse(event.data)); };
    socket.onclose = (event) => {
      if (event.code === 4401 || event.code === 4403) return link("off");
      slow ||= setTimeout(link, 1200, "lost");
      const wait = pause ? 1000 * pause : Math.min(30000, 500 * 2 ** tries++);
      pause = 0;
      timer = setTimeout(connect, wait * (0.5 + Math.random() / 2));
    };
  }
  // Of a browser's pages one is told that what waits for its person may be another, in all their workspaces (notices.js).
  function lead() {
    leads = true;
    if (socket) send({ type: "needs" });
    else connect();
  }
  // A line that was cut without a word is known by its silence: a head comes every 15 seconds.
  setInterval(() => socket?.readyState === 1 && Date.now() - heard > 45000 && renew(), 5000);
  // Another network: a socket of the one before may be dead and not know it. A new one goes on where it was.
  addEventListener("online", renew);
  addEventListener("offline", () => socket && link("lost"));
  function renew() {
    if (!socket) return;
    clearTimeout(timer);
    slow ||= setTimeout(link, 1200, "lost");
    tries = 0;
    asking = false;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    connect();
  }
  // What the page says of its line: nothing, or how far it is behind; while it is, the whole page is marked stale.
  function link(state) {
    clearTimeout(slow);
    slow = 0;
    const el = $("#link");
    if (el.dataset.state !== state) document.documentElement.dataset.link = el.dataset.state = state;
    tell();
  }
  function behind() {
    let count = 0;
    cursors.forEach((c) => (count += Math.max(0, (c.head || 0) - c.seq)));
    return count;
  }
  function tell() {
    const el = $("#link"), { state } = el.dataset, count = state === "lost" || state === "late" ? behind() : 0;
    const text = state === "open" ? "" : words[state] + (count ? `, ${count} ${words.behind}` : state === "off" ? "" : "…");
    if (el.textContent !== text) el.textContent = text;
  }
  function receive(m) {
    const c = cursors.get(m.workspace);
    if (m.type === "live") return live(m);
    if (m.type === "draining") return void (pause = m.retry_after || 1);
    if (m.type === "needs") {
      tries = 0;
      catchUp();
      return void dispatchEvent(new CustomEvent("claw:needs"));
    }
    if (!c) return;
    // Counted first: after a restore it is of another generation, and answers a subscription all the same.
    if (m.type === "hello") { tries = 0; c.asked -= 1; }
    if (m.type === "reset" || (m.generation !== undefined && m.generation !== c.generation)) return refresh();
    if (["hello", "here", "typing"].includes(m.type)) dispatchEvent(new CustomEvent(`claw:${m.type}`, { detail: m }));
    if (m.type === "fragments" && m.seq > c.seq && !c.asked) {
      c.seq = m.seq;
      come(m);
    }
    // A hint of ours may be lost: what the head promises is asked for, but only where nothing comes at all. Who asks a
    // server again that is merely slow makes it begin anew.
    c.head = Math.max(c.head || 0, m.head || 0);
    catchUp();
    if (c.head > c.seq) c.doubt ||= setTimeout(doubt, c.patience || 3000, c, m.workspace, c.seq);
  }
  // Who was away is back once nothing is missing; who is behind for more than a moment is told so, and how far.
  let catching = 0;
  function catchUp() {
    const { state } = $("#link").dataset;
    if (!behind()) {
      clearTimeout(catching);
      catching = 0;
      if (state !== "off") link("open");
    } else if (state === "open") catching ||= setTimeout(late, 2500);
    tell();
  }
  function late() {
    catching = 0;
    if (behind() && $("#link").dataset.state === "open") link("late");
  }
  function doubt(c, workspace, seq) {
    c.doubt = 0;
    c.patience = c.seq > seq ? 3000 : Math.min(30000, 2 * (c.patience || 3000));
    if (c.seq === seq && c.head > seq && !c.asked) subscribe(c, workspace);
    else if (c.head > c.seq) c.doubt = setTimeout(doubt, c.patience, c, workspace, c.seq);
  }

  // What came and is not on the page yet: of each element the newest only, in the order in which they came. It is taken
  // in little by little, so that a key or a click never waits for long, and acknowledged when nothing is left: whoever
  // cannot keep up is sent no more meanwhile. Where nobody looks the browser gives no time for later: all at once then.
  const SLICE = 8, PAUSE = 100; // milliseconds: at a time, and between two times
  const coming = new Map(), owed = new Map();
  let due = 0, worked = 0;
  // Most of what comes belongs to other pages. What has no place here is told by its beginning, and never parsed.
  const BEGINNING = /^\s*<[a-z]+\s(?:[^>]*\s)?id="([^"]+)"[^>]*hx-swap-oob="(?:merge:(#[^"]+))?/;
  function come({ workspace, seq, html }) {
    for (const piece of (html || "").split("\x1e")) {
      const [, id, list] = BEGINNING.exec(piece) || [];
      coming.delete(id);
      if (id) coming.set(id, { piece, list });
    }
    new Set([...coming.values()].map(({ list }) => list)).forEach(thin);
    owed.set(workspace, seq);
    if (document.hidden) work();
    else due ||= setTimeout(work, worked + PAUSE - performance.now());
  }
  // Who was away for long gets more lines than a list keeps: those that would be trimmed at once are never put there.
  // So the others are trimmed to as many when all is there, wherever its reader is by then: no line is missing between.
  const thinned = new Map();
  function thin(name) {
    const list = name && $(name), kept = +list?.dataset.most || Infinity;
    const lines = coming.size > kept ? [...coming].filter(([id, one]) => one.list === name && !document.getElementById(id)) : [];
    // To ask where its reader is costs a layout.
    const most = lines.length <= kept || atEnd(list) ? kept : 3 * kept;
    if (lines.length <= most) return;
    const ordinal = ({ piece }) => +/data-ordinal="([\d.]+)"/.exec(piece.slice(0, piece.indexOf(">")))?.[1];
    // Of those of one thousandth of a second the last that came is the newest.
    lines.reverse().sort(([, a], [, b]) => ordinal(b) - ordinal(a)).slice(most).forEach(([id]) => coming.delete(id));
    thinned.set(list, Math.min(most, thinned.get(list) ?? most));
  }
  function work() {
    const until = document.hidden ? Infinity : performance.now() + SLICE;
    due = 0;
    for (const [id, { piece, list }] of coming) {
      if (performance.now() > until) return void (due = setTimeout(work));
      coming.delete(id);
      if (document.getElementById(id) || (list && $(list))) take(parsed(piece).content.firstElementChild);
    }
    owed.forEach((seq, workspace) => {
      const c = cursors.get(workspace);
      send({ type: "ack", workspace, seq });
      if (c) widen(c, workspace, c.done);
      if (c) c.done = Math.min(seq, c.seq);
    });
    owed.clear();
    thinned.forEach((most, list) => {
      trim(list, most);
      $(":scope > [data-older]", list).hidden = false;
    });
    thinned.clear();
    worked = performance.now();
  }
  function take(el) {
    const there = document.getElementById(el.id), list = listFor(el);
    if (el.getAttribute("hx-swap-oob") === "delete") return there?.remove();
    if (!there && !list) return;
    el.removeAttribute("hx-swap-oob");
    const now = merge(el, list);
    if (now && (now.matches(ASKS) || $(ASKS, now))) htmx.process(now);
  }
  const ASKS = "[hx-get], [hx-post]";

  // One answer at a time: an older one would set the page back, and who keeps asking gets none. Without an answer it is
  // asked for again after a while, or as soon as the server says so: whoever is back does not wait for the while.
  let asking = false, again;
  async function refresh() {
    if (asking) return;
    clearTimeout(again);
    asking = true;
    const told = { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(60000) };
    const text = await fetch(location.href, told).then((answer) => answer.ok && answer.text()).catch(() => "");
    const fresh = text && $("#page", new DOMParser().parseFromString(text, "text/html"));
    asking = false;
    if (!fresh) return void (again = setTimeout(refresh, 5000 + 5000 * Math.random()));
    // The page stands where it was rendered: what came since then is sent again after the server's hello.
    for (const all of [coming, owed, thinned]) all.clear();
    $$("[data-list][data-most]").forEach(note);
    morph($("#page"), fresh);
    htmx.process($("#page"));
    settle($("#page"));
    readCursors();
    cursors.forEach(subscribe);
  }
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
      settle(turn);
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
    const list = turn?.closest("[data-follow]");
    if (list && more && box?.textContent !== more) { note(list); queueMicrotask(settleLists); }
    if (!more) { box?.remove(); tails.delete(part); return; }
    if (!box) turn.append((box = Object.assign(document.createElement("div"), { className: "turn__live" })));
    box.textContent = more;
  }
  let refilling = 0;
  function refill(turn) {
    refilling ||= setTimeout(() => {
      refilling = 0;
      const from = turn.closest("[data-watch]");
      if (from) reload(from);
    }, 1000);
  }

  Object.assign(window.claw, { send, mergeAll, lead });
  $$("[data-follow]").forEach((list) => (list.scrollTop = list.scrollHeight));
  readCursors();
  connect();
})();
