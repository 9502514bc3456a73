"use strict";
// Routes: what stands behind the # says what is shown, so every view has a permanent address.

(() => {
  const main = document.querySelector("#main");

  const decode = text => {
    try { return decodeURIComponent(text); } catch { return text; }
  };

  const isId = text => /^\d{1,15}$/.test(text);

  // The view of an address: [name in the navigation, title, promise].
  const open = hash => {
    const parts = hash.replace(/^#/, "").split("/").map(decode);
    const dictionary = book.find(parts[0]);
    if (hash === "" || hash === "#") return ["overview", "", overview.show(main)];
    if (parts.length === 2 && dictionary >= 0 && isId(parts[1])) return ["", parts.join("/"),
      card.show(main, dictionary, Number(parts[1]))];
    if (parts.length === 1 && parts[0] === "families") return ["families", "Families", families.show(main)];
    if (parts.length === 3 && parts[0] === "family" && book.find(parts[1]) >= 0 && isId(parts[2]))
      return ["families", "Family " + parts.slice(1).join("/"), tree.show(main, book.find(parts[1]), Number(parts[2]))];
    if (parts.length === 3 && parts[0] === "map" && book.find(parts[1]) >= 0 && isId(parts[2]))
      return ["", "Map of " + parts.slice(1).join("/"), map.show(main, book.find(parts[1]), Number(parts[2]))];
    const pair = cleave.run.pairs.findIndex(one => book.name(one.child) === parts[1]
      && book.name(one.parent) === parts[2]);
    if (parts.length === 3 && parts[0] === "new" && pair >= 0 && cleave.run.pairs[pair].novel)
      return ["overview", "New in " + parts[1], groups.showNovel(main, pair)];
    if (parts.length === 3 && parts[0] === "holes" && pair >= 0)
      return ["overview", "Holes " + parts.slice(1).join(" "), groups.showHoles(main, pair)];
    if (parts.length === 4 && parts[0] === "status") {
      if (pair >= 0) return ["overview", parts.slice(1).join(" "), families.showStatus(main, pair, parts[3])];
    }
    if (parts.length >= 2 && parts[0] === "search") return ["", "Search", finder.show(main, parts.slice(1).join("/"))];
    return ["", "", Promise.reject(new Error("There is no such view: " + hash))];
  };

  const route = async () => {
    const [view, title, shown] = open(location.hash);
    document.title = (title ? title + " – " : "") + cleave.run.title + " – cleave";
    for (const link of document.querySelectorAll("nav a")) {
      if (link.dataset.view === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    await shown.catch(error => fill(main, reportError(error)));
    window.scrollTo(0, 0);
    document.documentElement.dataset.ready = location.hash || "#";
  };

  const theme = () => {
    const root = document.documentElement;
    const kept = (() => { try { return localStorage.getItem("cleave-theme"); } catch { return null; } })();
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
    document.querySelector("#theme").addEventListener("click", () => {
      const isDark = root.dataset.theme ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = isDark ? "light" : "dark";
      try { localStorage.setItem("cleave-theme",
        root.dataset.theme); } catch { /* a page from disk may have no storage */ }
    });
  };

  theme();
  document.querySelector("#skip").addEventListener("click", event => {
    event.preventDefault(); // the address says which view is shown
    main.focus();
  });
  cleave.load("run").then(run => {
    cleave.run = run;
    finder.start();
    window.addEventListener("hashchange", route);
    return route();
  }).catch(error => fill(main, reportError(error)));
})();
