"use strict";
// The table of families, and the lists behind the bars of statuses.

const families = (() => {
  const PAGE = 50;
  const state = { column: null, descending: true, filter: "", page: 0, cache: null };

  const unpack = row => {
    const levels = book.levels().length;
    const [mass, coverage, purity, replicated] = row.slice(2 + levels);
    return { root: row[0], label: row[1], sizes: row.slice(2, 2 + levels), mass, coverage, purity,
      replicated };
  };

  const columns = () => [
    { key: "root", name: "root", title: "the feature of the smallest dictionary", of: f => f.root },
    { key: "label", name: "label", title: "in italics where they are automatic", isText: true,
      of: f => labelText(f.label) },
    ...book.levels().map((one, level) => ({ key: "size" + level, name: one.name,
      title: `features of ${one.name} in the family`,
      isNumber: true, of: f => f.sizes[level] })),
    { key: "mass", name: "mass", title: "sum of the root's activations", isNumber: true, of: f => f.mass },
    { key: "coverage", name: "coverage", title: "share of the root's activation on tokens where a child fires too",
      isNumber: true, of: f => f.coverage },
    { key: "purity", name: "purity",
      title: "share of the leaves' firings that fall on each leaf's most frequent token", isNumber: true,
      of: f => f.purity },
    { key: "replicated", name: "replicated", title: "a feature of the family splits with another seed too",
      of: f => f.replicated === 1 ? 1 : 0 },
  ];

  // Where the browser does not hold the whole table: the number of the file sorted by this column.
  const sortedShard = (column, descending) => {
    const keys = ["root", ...book.levels().map((_, i) => "size" + i), "mass", "coverage", "purity", "replicated"];
    const at = keys.indexOf(column);
    return at < 0 ? null : `families/sorted/${at * 2 + (descending ? 0 : 1)}`;
  };

  const pages = () => Math.ceil(cleave.run.families.count / cleave.run.shard.rows);

  // All rows of a table that fits; else the rows that the order asks for, and a note.
  const rowsWanted = async () => {
    if (cleave.run.families.whole) {
      if (!state.cache) {
        const all = await Promise.all(d3.range(pages()).map(page => cleave.load(shardOf.families(page))));
        state.cache = all.flat().map(unpack);
      }
      return { rows: state.cache, total: state.cache.length, isWhole: true };
    }
    const shard = state.column && sortedShard(state.column, state.descending);
    if (shard) {
      const rows = (await cleave.load(shard)).map(unpack);
      return { rows, total: rows.length, isWhole: false,
        note: `the first ${format.count(rows.length)} of ${format.count(cleave.run.families.count)} in this order` };
    }
    const perShard = cleave.run.shard.rows, first = state.page * PAGE;
    const rows = (await cleave.load(shardOf.families(Math.floor(first / perShard)))).map(unpack);
    return { rows: rows.slice(first % perShard, first % perShard + PAGE), total: cleave.run.families.count,
      isWhole: false, isPage: true,
      note: "in order of size; sort by a column for its first 1,000, or search above for a label" };
  };

  const compare = (column, descending) => (a, b) => {
    const left = column.of(a), right = column.of(b);
    if (left === null || right === null) return (left === null) - (right === null);
    const order = column.isText ? String(left).localeCompare(String(right)) : left - right;
    return descending ? -order : order;
  };

  const select = wanted => {
    if (wanted.isPage) return wanted.rows;
    let rows = wanted.rows;
    const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length > 0) {
      const smallest = book.name(book.ofLevel(0));
      rows = rows.filter(f => words.every(word => labelText(f.label).toLowerCase().includes(word)
        || `${smallest}/${f.root}`.includes(word)));
    }
    const column = columns().find(one => one.key === state.column);
    return column && wanted.isWhole ? [...rows].sort(compare(column, state.descending)) : rows;
  };

  const headCell = (column, redraw) => {
    const isSorted = state.column === column.key;
    return h("th", { scope: "col", title: column.title, class: column.isNumber ? "number" : null,
      "aria-sort": isSorted ? (state.descending ? "descending" : "ascending") : "none" },
      h("button", { type: "button", "data-column": column.key, onclick: () => {
        state.descending = isSorted ? !state.descending : !column.isText && column.key !== "root";
        state.column = column.key;
        state.page = 0;
        redraw(column.key);
      } }, column.name, h("span", { class: "arrow", "aria-hidden": "true" }, isSorted
        ? (state.descending ? "▼" : "▲") : "")));
  };

  const row = family => {
    const smallest = book.ofLevel(0);
    const route = `#family/${book.id(smallest, family.root)}`;
    return h("tr", { onclick: event => { if (!event.target.closest("a")) location.hash = route; } },
      h("td", {}, h("a", { class: "id", href: route }, book.id(smallest, family.root))),
      h("td", { class: "wide" }, el.label(family.label)),
      family.sizes.map(size => h("td", { class: "number" }, format.count(size))),
      h("td", { class: "number" }, format.mass(family.mass)),
      h("td", { class: "number" }, format.percent(family.coverage)),
      h("td", { class: "number" }, format.percent(family.purity)),
      h("td", {}, family.replicated === 1 ? "yes" : family.replicated === 0 ? h("span", { class: "quiet" }, "no")
        : h("span", { class: "quiet" }, "–")));
  };

  const pager = (total, redraw) => {
    const last = Math.max(0, Math.ceil(total / PAGE) - 1);
    const go = page => () => { state.page = page; redraw("pager"); };
    return h("div", { class: "pager" },
      h("button", { type: "button", disabled: state.page === 0, onclick: go(state.page - 1) }, "Previous"),
      h("span", { class: "quiet" }, `page ${format.count(state.page + 1)} of ${format.count(last + 1)}`),
      h("button", { type: "button", disabled: state.page >= last, onclick: go(state.page + 1) }, "Next"));
  };

  const show = async main => {
    const body = h("div", {});
    let turn = 0;
    const redraw = async focus => {
      const mine = ++turn;
      const wanted = await rowsWanted();
      if (mine !== turn) return;
      const chosen = select(wanted);
      const total = wanted.isPage ? wanted.total : chosen.length;
      const shown = wanted.isPage ? chosen : chosen.slice(state.page * PAGE, (state.page + 1) * PAGE);
      fill(body,
        h("p", { class: "quiet", role: "status" }, wanted.isPage ? wanted.note
          : format.plural(total, "family", "families") + (wanted.note ? ": " + wanted.note : "")),
        h("div", { class: "scroll" }, h("table", { class: "listing" },
          h("thead", {}, h("tr", {}, columns().map(column => headCell(column, redraw)))),
          h("tbody", {}, shown.map(row)))),
        pager(total, redraw));
      const again = focus && focus !== "filter" && body.querySelector(`[data-column="${focus}"]`);
      if (again) again.focus();
    };
    fill(main, h("h1", {}, "Families"),
      h("p", { class: "lead" },
        `Each family is a feature of ${book.levels()[0].name} with the features of the larger dictionaries that it became.`),
      cleave.run.families.whole ? h("input", { type: "search", class: "filter",
        placeholder: "Filter by label or id", "aria-label": "Filter families by label or id",
        value: state.filter, oninput: event => { state.filter = event.target.value; state.page = 0; redraw("filter"); } }) : null,
      body);
    await redraw();
  };

  // The strongest features of one status of a pair.
  const showStatus = async (main, pair, status) => {
    const names = cleave.run.child_statuses;
    const codes = names.map((name, code) => ({ name, code }))
      .filter(one => one.name && baseOf(one.name) === status && cleave.run.pairs[pair].counts[one.code] > 0);
    const lists = await Promise.all(codes.map(async one => ({ ...one,
      rows: await cleave.load(`status/${pair}/${one.code}`) })));
    const { child, parent, counts } = cleave.run.pairs[pair];
    fill(main, h("h1", {}, el.status(status), ` ${book.name(child)} → ${book.name(parent)}`),
      h("p", { class: "lead" }, STATUS_HELP[status] || ""),
      lists.length === 0 ? h("p", { class: "quiet" }, "None.") : null,
      lists.map(({ name, code, rows }) => h("section", {},
        h("h2", {}, name, " ", h("span", { class: "quiet small" }, counts[code] > rows.length
          ? `the ${format.count(rows.length)} of most activation, of ${format.count(counts[code])}`
          : format.count(rows.length))),
        h("div", { class: "scroll" }, h("table", { class: "listing" },
          h("thead", {}, h("tr", {}, ["feature", "label", "firings", `closest in ${book.name(parent)}`, "",
            "cosine", "P(parent | child)", ""]
            .map((text, i) => h("th", { scope: "col", class: i === 2 || i === 5 ? "number" : null }, text)))),
          h("tbody", {}, rows.map(([id, label, firings, other, otherLabel, cosine, share, flags]) => h("tr", {},
            h("td", {}, el.id(child, id)), h("td", { class: "wide" }, el.label(label)),
              h("td", { class: "number" }, format.count(firings)),
            h("td", {}, other < 0 ? "–" : el.id(parent, other)),
              h("td", { class: "wide" }, other < 0 ? null : el.label(otherLabel)),
            h("td", { class: "number" }, format.short(cosine)), h("td", {}, el.share(share)),
              h("td", {}, el.flags(flags))))))))));
  };

  return { show, showStatus, unpack };
})();
