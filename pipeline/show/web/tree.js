"use strict";
// The tree of one family, and the same tokens for parent and children.

const tree = (() => {
  const ROW = 30;

  // The shard's list of nodes as a d3 hierarchy; siblings by mass; a node's hidden descendants are one more leaf.
  const hierarchy = record => {
    const nodes = record.v.map((node, index) => ({ ...node, index, children: [] }));
    for (const node of nodes) if (node.u !== undefined) nodes[node.u].children.push(node);
    for (const node of nodes) {
      node.children.sort((a, b) => b.m - a.m);
      if (node.h) node.children.push({ more: node.h, m: node.hm, children: [], l: node.l + 1 });
    }
    return d3.hierarchy(nodes[0]);
  };

  const shorten = (text, room) => text.length <= room ? text : text.slice(0, Math.max(1, room - 1)) + "…";

  // Characters of a label that fit into a column, and about how far a node's text reaches.
  const roomOf = layout => Math.floor((layout.column - 14) / 6.6);
  const reachOf = (node, layout) => {
    const name = book.id(book.ofLevel(node.data.l), node.data.i).length;
    return Math.min(layout.column, 20 + 6.7 * Math.max(name,
      Math.min(roomOf(layout), (labelText(node.data.n) || "no label").length)));
  };

  const edgeText = node => {
    const share = node.q.length
      ? `P ${format.short(node.q[0])} [${format.short(node.q[1])}, ${format.short(node.q[2])}]` : "P open";
    return `${format.short(node.c)} · ${share}`;
  };

  const describe = node => {
    if (node.more) return `${format.count(node.more)} more features`;
    const name = book.id(book.ofLevel(node.l), node.i);
    if (node.u === undefined) return `${name} ${labelText(node.n)}, root`;
    return `${name} ${labelText(node.n)}, ${book.child(node.s)}, cosine ${format.short(node.c)}` +
      (node.q.length ? `, P(parent | child) ${format.short(node.q[0])} from ${format.short(node.q[1])} to ${format.short(node.q[2])}` : ", too few firings for P");
  };

  // Columns are levels; leaves are rows.
  const place = (root, width) => {
    const depth = Math.max(1, root.height);
    const gutter = Math.min(190, Math.max(150, width * 0.15));
    const column = (width - 12 - depth * gutter) / (depth + 1);
    let row = 0;
    const isTall = root.leaves().length > 24; // a parent in the middle of its children would be out of sight
    root.eachAfter(node => {
      node.y = !node.children ? ROW * (row++ + 0.5)
        : isTall ? node.children[0].y : d3.mean(node.children, child => child.y);
      node.x = 10 + node.depth * (column + gutter);
    });
    return { height: Math.max(ROW, row * ROW), column, gutter };
  };

  const drawNodes = (svg, root, layout, mass, select) => {
    const items = svg.append("g").selectAll("g").data(root.descendants()).join("g")
      .attr("class", node => node.data.more ? "node more" : "node").attr("transform",
        node => `translate(${node.x},${node.y})`);
    const real = items.filter(node => !node.data.more);
    real.attr("tabindex", 0).attr("role", "treeitem").attr("aria-label", node => describe(node.data))
      .attr("data-node", node => node.data.index)
      .each(function (node) { // not selection.on(): its arguments differ between versions of d3
        this.addEventListener("click", () => select(node.data));
        this.addEventListener("keydown", event => {
          if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(node.data); }
        });
      });
    items.append("title").text(node => describe(node.data) + (node.data.more ? ", in features.csv"
      : `, mass ${format.mass(node.data.m)}`));
    items.append("rect").attr("class", "hit").attr("x", -8).attr("y", -ROW / 2 + 1).attr("height", ROW - 2)
      .attr("rx", 4)
      .attr("width", node => layout.column + (node.depth === 0 ? 0 : 4));
    real.append("circle").attr("class", node => node.data.u === undefined ? "root" : "s-"
      + baseOf(book.child(node.data.s)))
      .attr("r", node => 2.5 + 4.5 * Math.sqrt(Math.max(0, node.data.m) / mass));
    items.append("text").attr("class", "node-id").attr("x", 10).attr("y", node => node.data.more ? 4 : -2)
      .text(node => node.data.more ? `${format.count(node.data.more)} more` : book.id(book.ofLevel(node.data.l),
        node.data.i));
    real.append("text").attr("class", node => Array.isArray(node.data.n) ? "node-label" : "node-label automatic")
      .attr("x", 10).attr("y", 11)
      .text(node => shorten(labelText(node.data.n) || "no label", roomOf(layout)));
  };

  const drawLinks = (svg, root, layout, mass) => {
    const links = root.links();
    const bendAt = link => link.source.x + layout.column, end = link => link.target.x - 8;
    svg.append("g").selectAll("path").data(links).join("path")
      .attr("class", link => link.target.data.more ? "link more" : "link s-" + baseOf(book.child(link.target.data.s)))
      .attr("stroke-width", link => 1 + 3 * Math.sqrt(Math.max(0, link.target.data.m) / mass))
      .attr("d", link => {
        const from = link.source.x + reachOf(link.source, layout), bend = bendAt(link) + 26, to = end(link);
        return `M${from},${link.source.y}L${bend - 26},${link.source.y}C${bend - 8},${link.source.y} ${bend - 18},${link.target.y} ${bend},${link.target.y}L${to},${link.target.y}`;
      });
    const text = svg.append("g").selectAll("text").data(links.filter(link => !link.target.data.more)).join("text")
      .attr("class", "edge").attr("text-anchor", "end").attr("x", link => end(link) - 6).attr("y",
        link => link.target.y - 4);
    text.append("tspan").attr("class", link => "edge-status t-" + baseOf(book.child(link.target.data.s)))
      .text(link => book.child(link.target.data.s) + " ");
    text.append("tspan").text(link => format.short(link.target.data.c));
    svg.append("g").selectAll("text").data(links.filter(link => !link.target.data.more)).join("text")
      .attr("class", "edge").attr("text-anchor", "end").attr("x", link => end(link) - 6).attr("y",
        link => link.target.y + 11)
      .text(link => edgeText(link.target.data).split(" · ")[1]);
  };

  const draw = (record, width, select) => {
    const root = hierarchy(record);
    const drawn = Math.max(width, 170 + 290 * Math.max(1, root.height));
    const layout = place(root, drawn);
    const mass = d3.max(root.descendants().filter(node => !node.data.more), node => node.data.m) || 1;
    const svg = d3.create("svg").attr("class", "tree").attr("width", drawn).attr("height", layout.height + 26)
      .attr("role", "tree").attr("aria-label", "Family tree");
    d3.range(root.height + 1).forEach(depth => svg.append("text").attr("class", "level").attr("x",
      10 + depth * (layout.column + layout.gutter)).attr("y", 12)
      .text(book.name(book.ofLevel(record.v[0].l + depth))));
    const inner = svg.append("g").attr("transform", "translate(0,22)");
    drawLinks(inner, root, layout, mass);
    drawNodes(inner, root, layout, mass, select);
    return svg.node();
  };

  const headOf = (dictionary, id, label, note) => [el.id(dictionary, id), " ",
    h("span", { class: "label" }, labelText(label) || "no label"),
    note ? h("span", { class: "quiet" }, " ", note) : null];

  // The strips of one feature with those of its parent and children on the same tokens.
  const sameTokens = (dictionary, feature, onlyFiring) => {
    const level = book.dictionary(dictionary).level;
    const larger = level >= 0 ? book.ofLevel(level + 1) : -1;
    const link = linkBelow(dictionary, feature);
    return (feature.e || []).map(strip => {
      const rows = [];
      if (link && strip.pv) rows.push({ head: headOf(link.d, link.p, link.n, "parent"), pairs: strip.pv,
        maximum: link.x });
      rows.push({ head: headOf(dictionary, feature.i, feature.n), pairs: strip.v, maximum: feature.x, isOwn: true });
      (feature.ch || []).forEach((child, i) => {
        if (onlyFiring && strip.cv[i].length === 0) return;
        rows.push({ head: headOf(larger, child[0], child[1], "child"), pairs: strip.cv[i], maximum: child[6] });
      });
      const isSilent = feature.ch && strip.cv.every(child => child.length === 0);
      return h("li", {},
        h("div", { class: "example-head" }, h("span", { class: "quiet" }, strips.kindOf(strip, dictionary)),
          h("span", { class: "quiet" }, `doc ${strip.d}`), isSilent ? h("span", { class: "quiet" },
            "no child fires here") : null),
        strips.same(strip, rows, feature.ch ? strips.uncoveredOf(strip) : null));
    });
  };

  // A child's strongest example and its parent on the same tokens: does the parent fire wherever the child does?
  const childStrip = (dictionary, feature, child, strip) => h("li", {}, strips.same(strip, [
    { head: headOf(book.ofLevel(book.dictionary(dictionary).level + 1), child.id, child.label, "child"), pairs: strip.v,
      maximum: child.maximum },
    { head: headOf(dictionary, feature.i, feature.n, "parent"), pairs: strip.pv, maximum: feature.x }]));

  const childrenStrips = (dictionary, feature) => feature.ch.map(([id, label, , , , , maximum], i) =>
    feature.ce[i].t ? childStrip(dictionary, feature, { id, label, maximum }, feature.ce[i]) : null);

  // The link to the next smaller level (a twin: to that of its level).
  const linkBelow = (dictionary, feature) => {
    const pairs = cleave.run.pairs;
    return feature.l.find(link => link.p !== undefined && pairs.some(pair => pair.child === dictionary
      && pair.parent === link.d && pair.next)) || null;
  };

  const panel = async (box, dictionary, id) => {
    const feature = await fetchFeature(dictionary, id);
    const list = h("ol", { class: "same-list" });
    const toggle = h("input", { type: "checkbox", onchange: () => refresh() });
    const refresh = () => {
      fill(list, sameTokens(dictionary, feature, !toggle.checked));
      strips.centre(list);
    };
    const more = h("div", {});
    fill(box,
      h("h2", {}, el.id(dictionary, id), " ", el.label(feature.n)),
      card.lines(dictionary, feature),
      h("h3", {}, feature.ch ? "Which child takes over where" : "Where it fires, and its parent"),
      h("p", { class: "quiet small" },
        "The same tokens for each feature. Orange is the activation, full at the feature's maximum.",
        feature.ch ? " Dotted underline: the feature fires and none of the children shown does." : ""),
      feature.ch ? h("label", { class: "toggle" }, toggle, " show silent children too") : null,
      list, more);
    refresh();
    if (feature.ch) {
      more.append(h("h3", {}, "Each child's strongest example, and the parent there"),
        h("ol", { class: "same-list" }, childrenStrips(dictionary, feature)));
      strips.centre(more);
    }
  };

  const heading = (dictionary, record, figures) => {
    const root = record.v[0];
    const [mass, coverage, purity, replicated] = figures;
    const levels = book.levels().slice(root.l);
    return [h("p", { class: "crumb" }, h("a", { href: "#families" }, "Families")),
      h("h1", {}, h("span", { class: "id" }, book.id(dictionary, root.i)), " ", el.label(root.n)),
      h("p", { class: "lead" }, h("span", { class: "big" }, el.sizes(record.z.slice(root.l))), " ",
        h("span", { class: "quiet" }, levels.map(one => one.name).join(" → ")), " ", el.status(book.parent(root.t))),
      h("dl", { class: "facts inline" }, [
        ["mass", mass === undefined ? format.mass(root.m) : format.mass(mass), "sum of the root's activations"],
        coverage === undefined ? null : ["coverage", format.percent(coverage),
          "share of the root's activation on tokens where a child fires too"],
        purity === undefined ? null : ["purity", format.percent(purity),
          "share of the leaves' firings on each leaf's most frequent token"],
        replicated === undefined ? null : ["replicated", ["no", "yes", "no twin"][replicated],
          "a feature of the family splits with another seed too"]]
        .filter(Boolean).map(([name, value, title]) => h("div", { title }, h("dt", {}, name), h("dd", {}, value))))];
  };

  const show = async (main, dictionary, id) => {
    const found = await fetchFamily(dictionary, id);
    if (!found) return showElsewhere(main, dictionary, id);
    const { tree: record, figures } = found;
    const box = h("div", { class: "tree-box", tabindex: "-1" }),
      below = h("section", { class: "panel", "aria-live": "polite" });
    const select = node => {
      box.querySelectorAll(".node.selected").forEach(one => one.classList.remove("selected"));
      const element = box.querySelector(`[data-node="${node.index}"]`);
      if (element) element.classList.add("selected");
      panel(below, book.ofLevel(node.l), node.i).catch(error => fill(below, reportError(error)));
    };
    fill(main, heading(dictionary, record, figures), box, below);
    box.append(draw(record, box.clientWidth - 2, select));
    select({ ...record.v[0], index: 0 });
  };

  // Not the root of a tree: go to the tree it is in, or to the feature itself.
  const showElsewhere = async (main, dictionary, id) => {
    const feature = await fetchFeature(dictionary, id);
    const isElsewhere = feature.r && (feature.r[0] !== dictionary || feature.r[1] !== id);
    location.replace(isElsewhere ? `#family/${book.id(feature.r[0], feature.r[1])}` : `#${book.id(dictionary, id)}`);
  };

  return { show, sameTokens, childStrip, linkBelow };
})();
