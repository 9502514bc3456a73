"use strict";
// Search by id or by words of labels. Words stand in buckets by their first two characters (pipeline/show/finder.c).

const finder = (() => {
  const WORD_BYTES = 24;
  const encoder = new TextEncoder();

  const bucketOf = word => {
    let hash = 2166136261;
    for (const byte of encoder.encode([...word].slice(0, 2).join(""))) hash = Math.imul(hash ^ byte, 16777619) >>> 0;
    return hash % cleave.run.shard.buckets;
  };

  // As in finder.c: without ASCII punctuation around it unless it is nothing else, ASCII letters small.
  const fold = text => {
    const bare = text.replace(/^[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+|[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+$/g, "") || text;
    let out = "";
    for (const c of bare.replace(/[A-Z]/g, letter => letter.toLowerCase())) {
      if (encoder.encode(out + c).length > WORD_BYTES) break;
      out += c;
    }
    return out;
  };

  const byId = query => {
    const match = query.match(/^(?:(.*)\/)?(\d{1,15})$/);
    if (!match) return [];
    const id = Number(match[2]);
    return cleave.run.dictionaries.map((one, index) => ({ one, index }))
      .filter(({ one }) => (match[1] === undefined || one.name === match[1]) && id < one.latents)
      .map(({ index }) => ({ dictionary: index, id }));
  };

  const withLabels = results => Promise.all(results.map(async result => {
    const feature = await fetchFeature(result.dictionary, result.id);
    return { ...result, label: feature.n, firings: feature.k };
  }));

  // Features whose label has a word that begins as the first word of the query does, and contains the others.
  const byWord = async query => {
    const words = query.split(/[\s·]+/).map(fold).filter(Boolean);
    if (words.length === 0) return [];
    const found = new Map();
    for (const [word, postings] of await cleave.load("search/" + bucketOf(words[0]))) {
      if (!word.startsWith(words[0])) continue;
      for (const [dictionary, id, firings, label] of postings) {
        const folded = labelText(label).toLowerCase();
        if (words.slice(1).every(one => folded.includes(one))) {
          const key = dictionary + "/" + id, before = found.get(key);
          const isExact = word === words[0] || (before && before.isExact) || false;
          found.set(key, { dictionary, id, firings, label, isExact });
        }
      }
    }
    return [...found.values()].sort((a, b) => b.isExact - a.isExact || b.firings - a.firings);
  };

  const search = async query => {
    const text = query.trim();
    if (!text) return [];
    const ids = byId(text);
    return ids.length > 0 ? withLabels(ids) : byWord(text);
  };

  const line = (result, attributes) => h("a", { href: "#" + book.id(result.dictionary, result.id), ...attributes },
    h("span", { class: "id" }, book.id(result.dictionary, result.id)), el.label(result.label),
    h("span", { class: "quiet number" }, format.count(result.firings)));

  const start = () => {
    const form = document.querySelector(".finder"), input = form.querySelector("input"),
      list = document.querySelector("#found");
    let turn = 0, at = -1;
    const close = () => {
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
      at = -1;
    };
    const mark = to => {
      const options = [...list.querySelectorAll("[role=option]")];
      if (options.length === 0) return;
      at = (to + options.length) % options.length;
      options.forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
      input.setAttribute("aria-activedescendant", options[at].id);
      options[at].scrollIntoView({ block: "nearest" });
    };
    const update = async () => {
      const mine = ++turn;
      const results = await search(input.value).catch(() => []);
      if (mine !== turn) return;
      if (!input.value.trim()) { close(); return; }
      at = -1;
      fill(list, results.slice(0, 12).map((result, i) => line(result,
        { role: "option", id: "found-" + i, "aria-selected": "false", tabindex: "-1" })),
        h("p", { class: "quiet small" }, results.length === 0 ? "Nothing found. Words are searched by their beginning."
          : results.length > 12 ? `${results.length} found: press Enter for all` : ""));
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
    };
    input.addEventListener("input", update);
    input.addEventListener("keydown", event => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        mark(at + (event.key === "ArrowDown" ? 1 : -1));
      }
      if (event.key === "Escape") close();
    });
    list.addEventListener("click", close);
    form.addEventListener("submit", event => {
      event.preventDefault();
      const chosen = at >= 0 ? list.querySelector(`#found-${at}`) : null;
      location.hash = chosen ? chosen.getAttribute("href") : "#search/" + encodeURIComponent(input.value.trim());
      close();
    });
    document.addEventListener("click", event => { if (!form.contains(event.target)) close(); });
    document.addEventListener("keydown", event => {
      if (event.key === "/" && !event.target.closest("input, textarea")) { event.preventDefault(); input.focus(); }
    });
  };

  const show = async (main, query) => {
    const results = await search(query);
    fill(main, h("h1", {}, "Search: ", query),
      h("p", { class: "quiet" }, results.length === 0
        ? "Nothing found. Labels are searched word by word, by the beginning of the word."
        : format.plural(results.length, "feature") + ", most firings first; a word lists at most 100"),
      h("ul", { class: "lines" }, results.map(result => h("li", {}, line(result)))));
  };

  return { start, show, search };
})();
