"use strict";
// What was run, and what came of it.

const overview = (() => {
  const WORDS = {
    text: one => `${one.name}: too little text. Only ${format.percent(one.share_30)} of its alive features fire at least 30 times (70 % are needed): statuses and families of this dictionary rest on too few firings.`,
    trained: pair => `${book.name(pair.child)}: undertrained against ${book.name(pair.parent)}. Its features' median best cosine is ${format.real(pair.median_best)}, only ${format.real(pair.median_best - pair.null_median)} above that of random directions (0.040 are needed): its links are mostly chance.`,
  };

  const notices = run => {
    const found = run.dictionaries.filter(one => one.too_little_text).map(WORDS.text)
      .concat(run.pairs.filter(pair => pair.undertrained && (pair.next || pair.twin)).map(WORDS.trained));
    found.push(...run.warnings);
    if (found.length === 0) return null;
    return h("section", { class: "notice", role: "note" },
      h("strong", {}, "The data does not support all of this report."),
      h("ul", {}, found.map(text => h("li", {}, text))));
  };

  const source = run => {
    const from = run.source;
    const model = from.model.split("/").pop();
    return h("p", { class: "lead" },
      "Residual stream after layer ", h("b", {}, String(from.layer)), " of ", h("b", {}, model), " on ",
      h("b", {}, format.count(from.rows)), " tokens of ", h("b", {}, format.count(from.documents)),
        " documents; dictionaries ",
      book.levels().map((one, i) => [i > 0 ? " → " : "", h("b", {}, one.name)]), ".");
  };

  const tile = (value, name, detail) => h("div", { class: "tile" },
    h("div", { class: "tile-value" }, value), h("div", { class: "tile-name" }, name), detail
      ? h("div", { class: "quiet" }, detail) : null);

  const replicationTile = one => {
    const between = `children per feature of ${book.name(one.parent)}, in ${one.level} and in its twin ${book.name(one.twin)}`;
    if (one.split_again === null) return tile("–", "replication of splits",
      `${between}: no feature of ${book.name(one.parent)} splits`);
    return tile(`r = ${format.real(one.correlation, 2)}`, "replication of splits",
      `${between}; a feature that splits in one does in the other with ${format.percent(one.split_again)}, any feature with ${format.percent(one.split_any)}`);
  };

  const tiles = run => {
    const next = run.pairs.filter(pair => pair.next && !book.dictionary(pair.child).control_of);
    return h("div", { class: "tiles" },
      run.replication.length > 0 ? replicationTile(run.replication[0])
        : tile("–", "replication of splits",
          "no dictionary has a twin of another seed, so it is unknown which splits are stable"),
      tile(format.count(run.families.with_children), "families with children",
        `of ${format.plural(run.families.count, "root")} in ${book.levels()[0].name}` +
        (run.replication.length > 0 ? `; ${format.count(run.families.replicated[1])} split in the twin too` : "")),
      next.map(pair => tile(format.real(pair.mean_p, 2), "mean P(parent | child)",
        `${book.name(pair.child)} → ${book.name(pair.parent)}, over ${format.plural(pair.enough, "link")} with enough evidence; mean lift ${format.real(pair.mean_lift, 1)}`)));
  };

  const meter = (value, most, name) => h("span", { class: "meter" },
    h("span", { class: "number" }, name), h("span", { class: "meter-line", "aria-hidden": "true" },
      h("i", { style: { width: Math.max(0, Math.min(1, value / most)) * 100 + "%" } })));

  const dictionaries = run => h("section", {},
    h("h2", {}, "Dictionaries"),
    h("div", { class: "scroll" }, h("table", { class: "figures" },
      h("thead", {}, h("tr", {}, [["", ""], ["latents", "features in the dictionary"],
        ["explained variance", "on rows that training did not see"],
        ["PCA", "explained by as many directions as the dictionary has active features a row (L0), the best ones for these very rows"], ["L0", "active features a row"],
        ["dead", "no direction, or no firing in 10 million tokens"],
          ["unseen", `no firing in these ${format.count(run.source.rows)} rows`],
        ["≥ 30 firings", "share of the alive features that fire at least 30 times"],
        ["effective dimension", "of the decoder directions"]]
        .map(([name, title]) => h("th", { scope: "col", title }, name)))),
      h("tbody", {}, run.dictionaries.map(one => h("tr", {},
        h("th", { scope: "row" }, one.name, one.control_of ? h("span", { class: "quiet" },
          ` twin of ${one.control_of}`) : null,
          one.too_little_text ? h("div", { class: "warn small" }, "too little text") : null),
        h("td", {}, format.count(one.latents)),
        h("td", {}, meter(one.explained_variance, 1, format.real(one.explained_variance))),
        h("td", {}, one.pca_explained_variance ? format.real(Number(one.pca_explained_variance)) : "–"),
        h("td", {}, format.real(one.l0, 1)),
        h("td", {}, format.percent(one.dead_share, 1)),
        h("td", {}, format.percent(one.unseen_share, 1)),
        h("td", {}, meter(one.share_30, 1, format.percent(one.share_30))),
        h("td", {}, format.real(one.effective_dimension, 0))))))));

  // What the model still knows with a dictionary's reconstruction in its residual stream.
  const evaluations = run => {
    const found = run.dictionaries.filter(one => one.evaluation);
    if (found.length === 0) return null;
    const first = found[0].evaluation;
    return h("section", {}, h("h2", {}, "What passes through each dictionary"),
      h("p", { class: "quiet" }, `Cross-entropy of the model on ${format.count(first.tokens)} ` +
        `${first.held_out ? "held-out " : ""}tokens with the residual stream replaced, in nats a token. The model as it is: ` +
        `${format.real(first.loss_plain)}; the stream replaced by its mean: ${format.real(first.loss_mean)}, by zero: ` +
        `${format.real(first.loss_zero)}.`),
      h("div", { class: "scroll" }, h("table", { class: "figures" },
        h("thead", {}, h("tr", {}, [["", ""], ["reconstruction", "cross-entropy with the dictionary's reconstruction, nats a token"],
          ["more than the model", "nats a token"], ["recovered", "(zero − reconstruction) / (zero − model)"],
          ["95 % interval", "contexts as units"]].map(([name, title]) => h("th", { scope: "col", title }, name)))),
        h("tbody", {}, found.map(({ name, evaluation }) => h("tr", {}, h("th", { scope: "row" }, name),
          h("td", {}, format.real(evaluation.loss_rebuilt)),
          h("td", {}, format.real(evaluation.loss_rebuilt - evaluation.loss_plain)),
          h("td", {}, meter(evaluation.recovered, 1, format.percent(evaluation.recovered, 1))),
          h("td", { class: "quiet" }, `${format.percent(evaluation.recovered_low, 1)} – ${format.percent(evaluation.recovered_high, 1)}`)))))));
  };

  const histogram = pair => {
    const width = 520, height = 150, margin = { left: 8, right: 8, top: 10, bottom: 22 };
    const x = d3.scaleLinear([0, 1], [margin.left, width - margin.right]);
    const y = d3.scaleLinear([0, d3.max(pair.histogram) || 1], [height - margin.bottom, margin.top]);
    const svg = d3.create("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("class", "chart").attr("role", "img")
      .attr("aria-label", `Distribution of the best cosine: median ${format.real(pair.median_best)}, null median ${format.real(pair.null_median)}, null 99.9 % ${format.real(pair.null_999)}`);
    svg.append("rect").attr("class", "null-band").attr("x", x(0)).attr("y", margin.top)
      .attr("width", Math.max(0, x(pair.null_999) - x(0))).attr("height", height - margin.bottom - margin.top);
    svg.selectAll("rect.count").data(pair.histogram).join("rect").attr("class",
      (_, i) => (i + 0.5) / 100 >= pair.link ? "count linked" : "count")
      .attr("x", (_, i) => x(i / 100) + 0.5).attr("width", x(0.01) - x(0) - 1)
      .attr("y", d => y(d)).attr("height", d => y(0) - y(d))
      .append("title").text((d, i) =>
        `${(i / 100).toFixed(2)}–${((i + 1) / 100).toFixed(2)}: ${format.plural(d, "feature")}`);
    svg.append("g").attr("class", "axis").attr("transform", `translate(0,${height - margin.bottom})`)
      .call(d3.axisBottom(x).ticks(10).tickSizeOuter(0).tickFormat(d => format.short(d, 1)));
    const mark = (value, name) => svg.append("line").attr("class", "mark-line " + name)
      .attr("x1", x(value)).attr("x2", x(value)).attr("y1", margin.top - 6).attr("y2", height - margin.bottom);
    mark(pair.null_median, "null-median");
    mark(pair.null_999, "null-999");
    mark(pair.link, "link");
    mark(pair.median_best, "median");
    return h("figure", {}, svg.node(), h("figcaption", { class: "key" }, [
      ["median", `median ${format.real(pair.median_best)}`],
        ["null-median", `null's median ${format.real(pair.null_median)}`],
      ["null-999", `null's 99.9 % ${format.real(pair.null_999)}`], ["link", `link at ${format.real(pair.link, 2)}`]]
      .map(([name, text]) => h("span", {}, h("i", { class: "key-mark " + name, "aria-hidden": "true" }), text))));
  };

  // Statuses with and without `?` in one bar.
  const statusBars = pair => {
    const rows = new Map();
    cleave.run.child_statuses.forEach((name, code) => {
      const count = pair.counts[code] || 0;
      if (!name || count === 0) return;
      const base = baseOf(name);
      if (!rows.has(base)) rows.set(base, { sure: 0, open: 0, codes: [] });
      rows.get(base)[name === base ? "sure" : "open"] += count;
      rows.get(base).codes.push(code);
    });
    const total = d3.sum(pair.counts), most = d3.max([...rows.values()], row => row.sure + row.open) || 1;
    const route = status => `#status/${book.name(pair.child)}/${book.name(pair.parent)}/${status}`;
    return h("table", { class: "bars" }, h("caption", { class: "hidden" }, "Statuses"),
      h("tbody", {}, [...rows].map(([name, row]) => h("tr", {},
      h("th", { scope: "row" }, h("a", { href: route(name), title: STATUS_HELP[name] },
        h("i", { class: "dot s-" + name, "aria-hidden": "true" }), name)),
      h("td", { class: "bar-cell", "aria-hidden": "true" },
        h("i", { class: "fill s-" + name, style: { width: 100 * row.sure / most + "%" } }),
        h("i", { class: "fill open s-" + name, title: name + "? : evidence is open",
          style: { width: 100 * row.open / most + "%" } })),
      h("td", { class: "number" }, format.count(row.sure + row.open), row.open
        ? h("span", { class: "quiet" }, ` (${format.count(row.open)}?)`) : null),
      h("td", { class: "number quiet" }, format.percent((row.sure + row.open) / total, 1))))));
  };

  const pairName = pair => {
    const child = book.dictionary(pair.child), parent = book.dictionary(pair.parent);
    if (pair.twin) return `the twin, another seed of ${parent.name}: the yardstick`;
    if (child.control_of) return `the twin of ${child.control_of} against the smaller size`;
    return pair.next ? "next size" : "size skipped";
  };

  const furtherViews = pair => {
    const absorbed = pair.counts[cleave.run.child_statuses.indexOf("absorbed")];
    const names = `${book.name(pair.child)}/${book.name(pair.parent)}`;
    const links = [pair.novel ? h("a", { href: "#new/" + names }, "Groups of new features") : null,
      absorbed > 0 ? h("a", { href: "#holes/" + names }, "Holes and what fills them") : null].filter(Boolean);
    return links.length === 0 ? null : h("p", { class: "further" }, links);
  };

  const pairCard = pair => h("article", { class: "card" },
    h("h3", {}, book.name(pair.child), h("span", { class: "quiet" }, " → "), book.name(pair.parent), " ",
      h("span", { class: "quiet small" }, pairName(pair))),
    pair.undertrained ? h("p", {}, pair.next || pair.twin ? h("span", { class: "warn" }, "undertrained ") : null,
      h("span", { class: "quiet" }, "the median is less than 0.040 above the null's")) : null,
    h("p", { class: "quiet small" }, "Best cosine of each alive feature with a feature of ", book.name(pair.parent)),
    histogram(pair),
    statusBars(pair),
    furtherViews(pair),
    h("dl", { class: "facts" }, [
      ["≥ .40 / .50 / .70", [pair.share_40, pair.share_50, pair.share_70].map(v => format.percent(v)).join(" / "),
        "share of the alive features with such a best cosine"],
      ["mean P(parent | child)", format.real(pair.mean_p, 3),
        `over the ${format.count(pair.enough)} linked features with enough evidence`],
      ["… of all children", format.real(pair.mean_p_all, 3), "also those without a link"],
      ["mean lift", format.real(pair.mean_lift, 1), "how much more often than by chance the parent fires along"],
      ["merge rate", format.percent(pair.merge_rate, 1), "features with two or more parents at or above the link"],
      ["skip rate", format.percent(pair.skip_rate, 1), "features linked here and not to the next smaller size"]]
      .map(([name, value, title]) => h("div", { title }, h("dt", {}, name), h("dd", {}, value)))));

  const pairs = run => {
    const rank = pair => (pair.next && !book.dictionary(pair.child).control_of ? 0 : pair.twin ? 2 : pair.next ? 3 : 1);
    const sorted = [...run.pairs].sort((a, b) => rank(a) - rank(b));
    return h("section", {}, h("h2", {}, "From size to size"), h("div", { class: "cards" }, sorted.map(pairCard)));
  };

  const parents = run => {
    const levels = book.levels().slice(0, -1).filter(one => one.parents);
    const names = run.parent_statuses.map((name, code) => ({ name, code }))
      .filter(({ name, code }) => name && levels.some(one => one.parents[code] > 0));
    if (levels.length === 0 || names.length === 0) return null;
    return h("section", {}, h("h2", {}, "What becomes of each feature"),
      h("div", { class: "scroll" }, h("table", { class: "figures" },
        h("thead", {}, h("tr", {}, h("th", {}, ""), names.map(({ name }) => h("th",
          { scope: "col", title: PARENT_HELP[name] }, name)))),
        h("tbody", {}, levels.map(one => h("tr", {}, h("th", { scope: "row" }, one.name),
          names.map(({ code }) => h("td", {}, format.count(one.parents[code]), " ",
            h("span", { class: "quiet" }, format.percent(one.parents[code] / one.latents))))))))));
  };

  const replication = run => {
    if (run.replication.length === 0) return null;
    return h("section", {}, h("h2", {}, "Do the same features split with another seed?"),
      h("p", { class: "quiet" },
        "Status shares hardly move between seeds and prove nothing by themselves. That the same parents split is the finding."),
      h("div", { class: "scroll" }, h("table", { class: "figures" },
        h("thead", {}, h("tr", {}, [["parents", ""], ["level and twin", ""],
        ["correlation", "of the number of children per parent in the level and in its twin"],
          ["… as frequent", "the same among parents of the same firing rate (16 bins): frequency is not the reason"],
          ["split again", "parents with two or more children in the level: share that has them in the twin too"],
          ["any parent", "share of all parents with two or more children in the twin"]].map(([name, title]) =>
            h("th", { scope: "col", title }, name)))),
        h("tbody", {}, run.replication.map(one => h("tr", {},
          h("th", { scope: "row" }, `${book.name(one.parent)} (${format.count(one.parents)})`),
          h("td", {}, `${one.level}, ${book.name(one.twin)}`), h("td", {}, format.real(one.correlation, 2)),
          h("td", {}, format.real(one.correlation_within, 2)),
          h("td", {}, format.percent(one.split_again)), h("td", {}, format.percent(one.split_any))))))));
  };

  const largest = async () => {
    const rows = (await cleave.load(shardOf.families(0))).slice(0, 10);
    return h("section", {}, h("h2", {}, "Largest families"),
      h("ul", { class: "lines" }, rows.map(row => {
        const family = families.unpack(row);
        return h("li", {}, h("a", { href: `#family/${book.id(book.ofLevel(0), family.root)}` },
          h("span", { class: "id" }, book.id(book.ofLevel(0), family.root)), el.label(family.label),
            el.sizes(family.sizes)));
      })), h("p", {}, h("a", { href: "#families" }, "All families")));
  };

  const glossary = () => h("details", {}, h("summary", {}, "What the statuses mean"),
    h("p", { class: "quiet" },
      "A child is a feature of the larger dictionary, its parent one of the smaller. A mark ? means that the evidence is open: too few firings, or an interval that reaches over the limit."),
    h("dl", { class: "glossary" }, Object.entries(STATUS_HELP)
      .map(([name, text]) => [h("dt", {}, el.status(name)), h("dd", {}, text)])));

  const provenance = run => h("details", {}, h("summary", {}, "Where this comes from"),
    h("dl", { class: "glossary" }, [
      ["model", `${run.source.model} (${run.source.model_hash})`],
      ["rows", `${format.count(run.source.rows)}, ${format.count(run.source.rows_held_out)} of them held out; ${format.count(run.source.tokens)} tokens in contexts of ${run.source.context}`],
      ["left out", `${format.count(run.source.left_out_first)} first positions, ${format.count(run.source.left_out_special)} special tokens, ${format.count(run.source.left_out_norm)} rows of extreme norm (median norm ${format.real(run.source.median_norm, 1)})`],
      ["labels", run.labels > 0
        ? `${format.count(run.labels)} given in labels.csv; the others, in italics, are automatic`
        : "automatic, in italics: the tokens most over-represented where a feature fires"],
      ["cleave", run.version]].map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])),
    h("table", { class: "figures" }, h("tbody", {}, run.files.map(([name, content]) => h("tr", {},
      h("th", { scope: "row" }, name), h("td", {}, h("code", {}, content)))))));

  const show = async main => {
    const run = cleave.run;
    fill(main, h("h1", {}, run.title), source(run), notices(run), tiles(run), h("div", { id: "largest" }),
      dictionaries(run), evaluations(run), training.panel(run), pairs(run), calibration.panel(run), parents(run), replication(run), glossary(), provenance(run));
    main.querySelector("#largest").replaceWith(await largest());
  };

  return { show };
})();
