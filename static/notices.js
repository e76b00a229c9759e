/* Being told of what waits: by the title and the icon of a page, and by the browser while nobody looks at one. */
(() => {
  "use strict";
  const { $, $$, words } = window.claw;
  const { person, notices } = document.body.dataset;
  if (!person) return;

  // How much waits, where it is seen among other pages.
  const icon = $("link[rel=icon]"), plain = icon.getAttribute("href");
  function show() {
    // Only a number: whatever a title does not keep as it was written would be written again for ever.
    const count = parseInt($("#needs .badge")?.lastChild.textContent) || 0;
    const text = (count ? `(${count}) ` : "") + document.title.replace(/^\(\d+\) /, "");
    if (document.title !== text) document.title = text;
    const shape = count ? icon.dataset.waits : plain;
    if (icon.getAttribute("href") !== shape) icon.setAttribute("href", shape);
  }
  const observer = new MutationObserver(show);
  observer.observe($("#needs"), { childList: true, subtree: true, characterData: true });
  observer.observe($("title"), { childList: true });
  show();

  // Not many in a row, and one at a time; the first at once, since timers are slow where nobody looks.
  const REST = 2000;
  function seldom(act) {
    let rests = false, again = false;
    return async function go() {
      if (rests) return void (again = true);
      rests = true;
      again = false;
      try { await act(); } finally { setTimeout(() => { rests = false; if (again) go(); }, REST); }
    };
  }

  // Of the pages that a browser has open one leads: its socket tells of all workspaces, and it alone gives notices.
  // Where there are no locks there are no notices either, and each page looks after itself.
  const LEADS = `claw:leads:${person}`, LOOKS = `claw:looks:${person}`, TOLD = `claw:told:${person}`;
  const { locks } = navigator, others = new BroadcastChannel(`claw:${person}`);
  let leads = false;
  function lead() {
    leads = true;
    window.claw.lead();
    // Somebody may have been given a seat elsewhere, and quiet hours end.
    setInterval(window.claw.lead, 60000);
    return new Promise(() => {});
  }
  if (locks) locks.request(LEADS, lead);
  else lead();

  // Whoever looks at one of the pages needs no notice.
  const leave = [];
  let looks = false;
  function look() {
    const now = !document.hidden && document.hasFocus();
    if (now === looks) return;
    looks = now;
    if (!looks) return leave.splice(0).forEach((done) => done());
    locks?.request(LOOKS, { mode: "shared" }, () => new Promise((done) => (looks ? leave.push(done) : done())));
    others.postMessage("looks");
    check();
  }
  const somebodyLooks = async () => looks || (await locks.query()).held.some(({ name }) => name === LOOKS);
  addEventListener("focus", look);
  addEventListener("blur", look);
  document.addEventListener("visibilitychange", look);

  // What waits may be another than it was; at first it is as the page has just been loaded.
  let loaded = true;
  addEventListener("claw:needs", () => {
    if (!loaded) { others.postMessage("needs"); count(); }
    loaded = false;
    check();
  });
  others.onmessage = ({ data }) => (data === "needs" ? count() : check());
  const count = seldom(() => $("#needs").dispatchEvent(new Event("reload")));
  const check = seldom(async () => {
    if (!leads || !locks) return;
    const answer = await fetch(notices, { headers: { Accept: "application/json" } }).catch(() => null);
    // Whoever was signed out meanwhile is led to where one signs in.
    const found = answer?.ok && (await answer.json().catch(() => null));
    if (found) await tell(found);
  });
  // Each once, however many pages are open, and however often they are loaded. What comes in quiet hours is told when
  // they end, if it waits still and nobody has looked meanwhile.
  async function tell({ wanted, quiet, items }) {
    const looked = await somebodyLooks();
    if (quiet && !looked) return;
    const told = new Set(JSON.parse(localStorage.getItem(TOLD) || "[]")), fresh = items.filter(({ key }) => !told.has(key));
    localStorage.setItem(TOLD, JSON.stringify(items.map(({ key }) => key)));
    if (!wanted || looked || !fresh.length || window.Notification?.permission !== "granted") return;
    const many = { key: "many", title: `${fresh.length} ${words.waiting}`, body: "", path: $("#needs").getAttribute("href") };
    (fresh.length > 3 ? [many] : fresh).forEach(notify);
  }
  function notify({ key, title, body, path }) {
    let notice;
    // Some browsers of phones know notices of installed applications only.
    try { notice = new Notification(title, { body, tag: `claw:${key}` }); } catch { return; }
    notice.onclick = () => {
      notice.close();
      focus();
      if (path) go(path);
    };
  }
  // Nothing that is being typed is left for it.
  const typed = () => $$("#page :is(textarea, input:not([type=hidden]))").some((el) => el.offsetParent && el.value !== el.defaultValue);
  const go = (path) => (typed() ? open(path, "_blank") : location.assign(path));

  // The page on which one says so.
  const box = $("[data-permission]");
  if (box) {
    const say = () => {
      const state = !isSecureContext ? "insecure" : window.Notification?.permission || "none";
      $$("[data-when]", box).forEach((el) => (el.hidden = el.dataset.when !== state));
    };
    say();
    $("[data-allow]", box).addEventListener("click", async () => { await Notification.requestPermission(); say(); });
    $("[data-try]", box).addEventListener("click", ({ target }) => notify({ key: "test", ...target.closest("button").dataset }));
    const zone = $("[data-zone]");
    if (zone && !zone.value) zone.value = zone.defaultValue = Intl.DateTimeFormat().resolvedOptions().timeZone;
  }

  look();
})();
