/* What loads itself anew: asked for again meanwhile, or not answered, it is loaded once more. */
(() => {
  "use strict";
  const reload = (el) => el.isConnected && el.dispatchEvent(new Event("reload"));

  // An answer may be older than what it was asked for again by, and of an element that is merged from its own answer
  // htmx forgets the request that waited. So what was asked for while another answer was on its way is asked for after it.
  const running = new Map(), again = new Set();
  function loading() {
    running.forEach((_, xhr) => xhr.readyState % 4 || running.delete(xhr)); // done, or given up
    return new Set(running.values());
  }
  const hears = (el, { type, target, bubbles }) => (el.getAttribute("hx-trigger") || "").split(",").some((one) => {
    const [name, from] = one.trim().split(/\s+/);
    return name === type && (target === el || from === "from:body" || (bubbles && el.contains(target)));
  });
  const asked = (event) => loading().forEach((el) => hears(el, event) && again.add(el));
  for (const type of ["reload", "reload-needs", "reload-work", "stale"]) addEventListener(type, asked, true);
  addEventListener("htmx:beforeSend", ({ detail: { xhr, requestConfig: { verb, target } } }) => {
    if (verb !== "get") return;
    // Which of two is answered first is not known.
    if (loading().has(target)) again.add(target);
    else again.delete(target);
    running.set(xhr, target);
  });
  addEventListener("htmx:afterRequest", ({ detail: { requestConfig: { target } } }) => {
    if (again.has(target)) setTimeout(once, delay(target), target);
  });
  // Longer than an event is held back by htmx, which may have kept it, and asks then.
  function delay(el) {
    const [, number, unit] = /reload delay:(\d+)(m?s)/.exec(el.getAttribute("hx-trigger")) || [];
    return number ? number * (unit === "s" ? 1000 : 1) + 50 : 0;
  }
  function once(el) {
    if (!loading().has(el) && again.delete(el)) reload(el);
  }

  // What could not be loaded is tried again.
  for (const type of ["htmx:sendError", "htmx:responseError"])
    addEventListener(type, ({ detail: { elt, xhr, requestConfig } }) => {
      if (requestConfig.triggeringEvent?.type !== "reload" || (xhr.status && xhr.status < 500)) return;
      setTimeout(reload, 3000 + 3000 * Math.random(), elt);
    });
})();
