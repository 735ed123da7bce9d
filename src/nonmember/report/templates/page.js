// All of this adds to a page that says the same without it.
"use strict";
(() => {
  document.documentElement.classList.add("scripted");

  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

  // What is not shown can still be searched for in browsers that can open it then.
  const show = (chosen) => {
    for (const tab of tabs) {
      const on = tab === chosen;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      if (on) panelOf(tab).removeAttribute("hidden");
      else panelOf(tab).setAttribute("hidden", "until-found");
    }
  };

  const showWhatHolds = (element) => {
    const tab = tabs.find((one) => panelOf(one).contains(element));
    if (tab) show(tab);
  };

  const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  const move = (event) => {
    const at = tabs.indexOf(event.currentTarget);
    const to = { Home: 0, End: tabs.length - 1 }[event.key] ?? at + MOVES[event.key];
    if (Number.isNaN(to)) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    show(tab);
    tab.focus();
  };

  for (const tab of tabs) {
    const panel = panelOf(tab);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    panel.addEventListener("beforematch", () => show(tab));
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", move);
    tab.parentElement.hidden = false;
  }

  const follow = (address) => {
    const target = document.getElementById(decodeURIComponent(address.slice(1)));
    if (target) showWhatHolds(target);
    return target;
  };
  if (tabs.length) {
    show(tabs[0]);
    document.addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="#"]');
      if (link) follow(link.getAttribute("href"));
    });
    addEventListener("hashchange", () => follow(location.hash));
    follow(location.hash)?.scrollIntoView();
  }

  // Without eval, which the page's policy forbids: Vega interprets the expressions' syntax tree.
  const OPTIONS = {
    ast: true,
    renderer: "svg",
    actions: false,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };

  // The still picture stays until the other is there, and for good where it fails.
  const draw = async (plot) => {
    const live = document.createElement("div");
    live.className = "live";
    plot.append(live);
    await vegaEmbed(live, JSON.parse(plot.querySelector("script").textContent), OPTIONS);
    plot.classList.add("drawn");
  };

  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        draw(target);
      }
    },
    { rootMargin: "400px" },
  );
  for (const plot of document.querySelectorAll(".plot")) seen.observe(plot);
})();
