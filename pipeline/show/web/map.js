"use strict";
// The neighbourhood of a feature over all dictionaries. Rings: the distance from the centre is 1 - cosine, the angle
// only keeps relatives together. Web: laid out by forces, no distance means anything.

const map = (() => {
  const GROWN = ["kept", "split", "absorbed"]; // statuses whose parent is the parent in the forest
  const state = { view: "rings", hidden: new Set(), labels: true }; // stays from map to map

  const keyOf = (dictionary, id) => dictionary + "/" + id;
  const below = dictionary => {
    const pair = cleave.run.pairs.find(one => one.child === dictionary && (one.next || one.twin));
    return pair ? pair.parent : -1;
  };

  // The centre, its neighbours and the links among them that the families have.
  const gather = (dictionary, feature, lists) => {
    const link = tree.linkBelow(dictionary, feature);
    const centre = { dictionary, id: feature.i, label: feature.n, cosine: 1, isCentre: true,
      status: link ? book.child(link.s) : "", parent: link ? link.p : -1 };
    const nodes = [centre, ...lists.flatMap(list => list.features.map(one => ({ ...one, dictionary: list.dictionary })))];
    nodes.forEach((node, order) => Object.assign(node, { order, key: keyOf(node.dictionary, node.id) }));
    return { centre, nodes };
  };

  const shownOf = found => found.nodes.filter(node => node.isCentre || !state.hidden.has(node.dictionary));

  const linksOf = nodes => {
    const at = new Map(nodes.map(node => [node.key, node]));
    const links = [];
    for (const node of nodes) {
      const parent = node.parent >= 0 && at.get(keyOf(below(node.dictionary), node.parent));
      if (parent) links.push({ source: node, target: parent, isGrown: GROWN.includes(baseOf(node.status)) });
    }
    return links;
  };

  // Relatives share a family: a parent with its children, shown or not.
  const familyOf = node => node.parent >= 0 && below(node.dictionary) >= 0 ? keyOf(below(node.dictionary), node.parent)
    : node.key;

  // Relatives stand side by side, families by their nearest member.
  const turnOf = nodes => {
    const families = new Map();
    for (const node of nodes) families.set(familyOf(node), [...(families.get(familyOf(node)) || []), node]);
    const sorted = [...families.values()].sort((a, b) => d3.max(b, n => n.cosine) - d3.max(a, n => n.cosine));
    return new Map(sorted.flat().map((node, i) => [node, i]));
  };

  const TICKS = 260;

  const run = (nodes, forces, after) => {
    const simulation = d3.forceSimulation(nodes).stop();
    for (const [name, force] of Object.entries(forces)) simulation.force(name, force);
    for (let tick = 0; tick < TICKS; ++tick) {
      simulation.tick();
      after();
    }
  };

  const radiusOf = node => node.isCentre ? 9 : 7.5 - 1.4 * Math.max(0, book.dictionary(node.dictionary).level < 0
    ? book.levels().length - 1 : book.dictionary(node.dictionary).level);

  // Each node on its ring; forces move it along the ring alone.
  const placeRings = (nodes, links, radius) => {
    const turn = turnOf(nodes);
    nodes.forEach(node => {
      const angle = 2 * Math.PI * turn.get(node) / nodes.length;
      node.x = radius(node) * Math.cos(angle);
      node.y = radius(node) * Math.sin(angle);
      node.vx = node.vy = 0;
    });
    run(nodes, { touch: d3.forceCollide(node => radiusOf(node) + 5), near: d3.forceManyBody().strength(-14),
      links: d3.forceLink(links).distance(20).strength(0.08) }, () => nodes.forEach(node => {
      const length = Math.hypot(node.x, node.y) || 1, wanted = radius(node);
      node.x *= wanted / length;
      node.y *= wanted / length;
    }));
  };

  const placeWeb = (nodes, links) => {
    const centre = nodes[0];
    const all = links.map(link => ({ ...link })).concat(nodes.slice(1)
      .map(node => ({ source: node, target: centre, isRay: true })));
    nodes.forEach((node, i) => {
      node.x = 40 * Math.sqrt(i) * Math.cos(2.4 * i);
      node.y = 40 * Math.sqrt(i) * Math.sin(2.4 * i);
      node.vx = node.vy = 0;
    });
    run(nodes, { touch: d3.forceCollide(node => radiusOf(node) + 6), apart: d3.forceManyBody().strength(-90),
      links: d3.forceLink(all).distance(link => link.isRay ? 240 * (1 - link.source.cosine) : 40)
        .strength(link => link.isRay ? 0.05 : 0.6) }, () => { centre.x = centre.y = 0; });
  };

  const shorten = (text, room) => text.length <= room ? text : text.slice(0, room - 1) + "…";

  // Labels of the nearest features first, where none lies over another label or a dot.
  const placeLabels = (nodes, size) => {
    const taken = nodes.map(node => ({ left: node.x - 6, right: node.x + 6, top: node.y - 6, bottom: node.y + 6, node }));
    const isFree = box => box.left > -size / 2 && box.right < size / 2 && taken.every(other => other.node === box.node ||
      box.left >= other.right || box.right <= other.left || box.top >= other.bottom || box.bottom <= other.top);
    return [...nodes].sort((a, b) => b.cosine - a.cosine).flatMap(node => {
      const text = shorten(labelText(node.label) || book.id(node.dictionary, node.id), node.isCentre ? 34 : 24);
      const width = 6.1 * text.length + 4, gap = radiusOf(node) + 3;
      const sides = node.x < 0 ? ["end", "start"] : ["start", "end"];
      for (const anchor of sides) {
        const left = anchor === "start" ? node.x + gap : node.x - gap - width;
        const box = { left, right: left + width, top: node.y - 7, bottom: node.y + 7, node };
        if (isFree(box)) {
          taken.push({ ...box, node: null });
          return [{ node, text, anchor, x: anchor === "start" ? node.x + gap : node.x - gap }];
        }
      }
      return [];
    });
  };

  const describe = node => `${book.id(node.dictionary, node.id)} ${labelText(node.label) || "no label"}` +
    (node.isCentre ? ", the centre" : `, cosine ${format.short(node.cosine)}`) + (node.status ? `, ${node.status}` : "");

  const hueOf = dictionary => "size-" + (Math.max(0, dictionary) % 6);

  const drawRings = (svg, radiusAt, least) => {
    const marks = [0.8, 0.6, 0.4, 0.2, 0].filter(cosine => cosine > least - 0.1);
    svg.append("g").selectAll("circle").data(marks).join("circle").attr("class", "ring").attr("r", radiusAt);
    svg.append("g").selectAll("text").data(marks).join("text").attr("class", "ring-name")
      .attr("y", cosine => -radiusAt(cosine) - 3).attr("text-anchor", "middle").text(cosine => "cosine " + format.short(cosine, 1));
  };

  const drawNodes = (svg, nodes, select) => {
    const items = svg.append("g").selectAll("g").data(nodes).join("g").attr("class", node => "point " + hueOf(node.dictionary) +
      (node.isCentre ? " centre" : "")).attr("transform", node => `translate(${node.x},${node.y})`)
      .attr("tabindex", 0).attr("role", "button").attr("aria-label", describe).attr("data-key", node => node.key)
      .each(function (node) {
        this.addEventListener("click", () => select(node));
        this.addEventListener("keydown", event => {
          if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(node); }
        });
      });
    items.append("circle").attr("r", radiusOf);
    items.append("title").text(describe);
  };

  const draw = (found, width, select) => {
    const nodes = shownOf(found), links = linksOf(nodes);
    const size = Math.max(330, Math.min(760, width)), least = d3.min(nodes, node => node.cosine);
    const reach = Math.max(0.2, 1 - least);
    const radiusAt = cosine => (size / 2 - 24) * (1 - cosine) / reach;
    const isRings = state.view === "rings";
    if (isRings) placeRings(nodes, links, node => node.isCentre ? 0 : radiusAt(node.cosine));
    else placeWeb(nodes, links);
    const most = d3.max(nodes, node => Math.max(Math.abs(node.x), Math.abs(node.y))) || 1;
    if (!isRings) nodes.forEach(node => { node.x *= (size / 2 - 24) / most; node.y *= (size / 2 - 24) / most; });
    const svg = d3.create("svg").attr("class", "map").attr("viewBox", `${-size / 2} ${-size / 2} ${size} ${size}`)
      .attr("width", size).attr("height", size).attr("role", "group")
      .attr("aria-label", isRings ? "Neighbours on rings of equal cosine" : "Neighbours as a web, not to scale");
    if (isRings) drawRings(svg, radiusAt, least);
    svg.append("g").selectAll("line").data(links).join("line").attr("class", link => "edge s-" + baseOf(link.source.status) +
      (link.isGrown ? "" : " loose")).attr("x1", link => link.source.x).attr("y1", link => link.source.y)
      .attr("x2", link => link.target.x).attr("y2", link => link.target.y);
    drawNodes(svg, nodes, select);
    if (state.labels) svg.append("g").selectAll("text").data(placeLabels(nodes, size)).join("text")
      .attr("class", label => label.node.isCentre ? "point-name centre" : "point-name").attr("x", label => label.x)
      .attr("y", label => label.node.y + 4).attr("text-anchor", label => label.anchor).text(label => label.text);
    return svg.node();
  };

  // What a point is: its card with its strongest examples.
  const panel = async (box, node) => {
    const feature = await fetchFeature(node.dictionary, node.id);
    fill(box, h("h2", {}, el.id(node.dictionary, node.id), " ", el.label(feature.n)),
      node.isCentre ? h("p", { class: "quiet" }, "the centre") : h("p", {}, h("span", { class: "quiet" }, "cosine with the centre "),
        h("span", { class: "number" }, format.short(node.cosine)), " ",
        h("a", { href: "#map/" + book.id(node.dictionary, node.id) }, "make it the centre")),
      card.lines(node.dictionary, feature),
      feature.e ? strips.list(node.dictionary, { ...feature, e: feature.e.slice(0, 4) }, strip => strip.k === 0)
        : h("p", { class: "quiet" }, "It never fires, so there are no examples."));
  };

  const toggles = (found, redraw) => {
    const here = [...new Set(found.nodes.slice(1).map(node => node.dictionary))].sort((a, b) => a - b);
    const radio = (view, text) => h("label", {}, h("input", { type: "radio", name: "view", checked: state.view === view,
      onchange: () => { state.view = view; redraw(); } }), " ", text);
    return h("div", { class: "map-toggles" },
      h("fieldset", {}, h("legend", {}, "Show"), here.map(dictionary => h("label", {}, h("input", { type: "checkbox",
        checked: !state.hidden.has(dictionary), onchange: event => {
          if (event.target.checked) state.hidden.delete(dictionary); else state.hidden.add(dictionary);
          redraw();
        } }), " ", h("i", { class: "dot " + hueOf(dictionary), "aria-hidden": "true" }), book.name(dictionary)))),
      h("fieldset", {}, h("legend", {}, "Layout"), radio("rings", "rings"), radio("web", "web"),
        h("label", {}, h("input", { type: "checkbox", checked: state.labels,
          onchange: event => { state.labels = event.target.checked; redraw(); } }), " labels")));
  };

  const list = found => h("details", {}, h("summary", {}, "All of them as a list"),
    h("ul", { class: "lines" }, [...found.nodes.slice(1)].sort((a, b) => b.cosine - a.cosine).map(node => h("li", {},
      h("a", { href: "#" + book.id(node.dictionary, node.id) }, h("span", { class: "id" }, book.id(node.dictionary, node.id)),
        el.label(node.label)), h("span", { class: "line-end" }, el.status(node.status),
        h("span", { class: "number" }, format.short(node.cosine)))))));

  const show = async (main, dictionary, id) => {
    card.checkId(dictionary, id);
    const [feature, lists] = await Promise.all([fetchFeature(dictionary, id), fetchNear(dictionary, id)]);
    const found = gather(dictionary, feature, lists);
    const box = h("div", { class: "map-box" }), note = h("p", { class: "quiet small" }), side = h("section", { class: "panel" });
    const select = node => {
      box.querySelectorAll(".point.selected").forEach(one => one.classList.remove("selected"));
      const element = box.querySelector(`[data-key="${node.key}"]`);
      if (element) element.classList.add("selected");
      return panel(side, node).catch(error => fill(side, reportError(error)));
    };
    const redraw = () => {
      fill(box, draw(found, box.clientWidth, select));
      note.textContent = state.view === "rings"
        ? "The distance from the centre is 1 − cosine. The angle means nothing but that relatives stand together."
        : "This layout is not metric: relatives attract each other, and no distance means anything.";
    };
    fill(main, h("p", { class: "crumb" }, "Neighbourhood of ", el.id(dictionary, id)),
      h("h1", {}, h("span", { class: "id" }, book.id(dictionary, id)), " ", el.label(feature.n)),
      found.nodes.length === 1 ? h("p", { class: "quiet" }, "It was compared with nothing.") : [
        toggles(found, redraw), note, h("div", { class: "map-columns" }, box, side),
        h("p", { class: "key" }, h("span", {}, h("i", { class: "key-line", "aria-hidden": "true" }), "child and its parent in the family"),
          h("span", {}, h("i", { class: "key-line loose", "aria-hidden": "true" }), "closest parent without being a part of it"),
          h("span", {}, "larger dots: smaller dictionaries")), list(found)]);
    if (found.nodes.length === 1) return;
    redraw();
    let drawn = box.clientWidth;
    new ResizeObserver(() => { // text is not scaled with the picture
      if (Math.abs(box.clientWidth - drawn) < 20) return;
      drawn = box.clientWidth;
      redraw();
    }).observe(box);
    await select(found.centre);
  };

  return { show };
})();
