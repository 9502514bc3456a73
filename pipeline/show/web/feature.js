"use strict";
// One feature: its examples, where it comes from, what it becomes, its neighbours.

const card = (() => {
  const sentence = (dictionary, link) => {
    const status = book.child(link.s);
    if (link.p === undefined) return h("p", {}, el.status(status),
      h("span", { class: "quiet" }, ` against ${book.name(link.d)}`));
    return h("p", {}, el.status(status), " ", el.flags(link.f),
      h("span", { class: "quiet" }, " closest in ", book.name(link.d), ": "),
      el.id(link.d, link.p), " ", el.label(link.n),
      h("span", { class: "quiet" }, " cosine "), h("span", { class: "number" }, format.short(link.c[0])),
      h("span", { class: "quiet" }, " P(parent | child) "), el.share(link.q),
      link.li === null || link.li === undefined ? null : [h("span", { class: "quiet" }, " lift "),
        h("span", { class: "number" }, format.real(link.li, 1))]);
  };

  // Status and family in lines: shared by the feature's page and the family's.
  const lines = (dictionary, feature) => {
    const own = book.dictionary(dictionary);
    const link = tree.linkBelow(dictionary, feature);
    const out = [];
    if (feature.s === 0) out.push(h("p", {}, el.status("dead")));
    if (feature.s === 1) out.push(h("p", {}, el.status("unseen")));
    if (link && feature.s === 2) out.push(sentence(dictionary, link));
    if (feature.ps && feature.s === 2) {
      out.push(h("p", {}, el.status(book.parent(feature.ps)), h("span", { class: "quiet" },
        feature.fc ? ` ${format.plural(feature.fc, "child", "children")} in ${book.name(book.ofLevel(own.level + 1))}` : " in the larger dictionary",
        feature.co === null || feature.co === undefined ? ""
          : `, which cover ${format.percent(feature.co)} of its activation`)));
    }
    return h("div", { class: "status-lines" }, out);
  };

  const facts = feature => h("dl", { class: "facts" }, [
    ["firings", format.count(feature.k), "rows where it is active"],
    ["of them held out", format.count(feature.h), "in documents that training did not see"],
    ["log10 density", format.real(feature.d, 2), "log10 of the share of rows where it is active"],
    ["mean activation", feature.k > 0 ? (feature.m / feature.k).toPrecision(3) : "–", "where it is active"],
    ["maximum", feature.x ? feature.x.toPrecision(3) : "–", "full orange in the strips"]]
    .map(([name, value, title]) => h("div", { title }, h("dt", {}, name), h("dd", {}, value))));

  // How often it fires how strongly; heights on a log scale, so that rare strong firings show.
  const histogram = feature => {
    if (!feature.hi) return null;
    const width = 320, height = 90, low = 16;
    const most = Math.log1p(d3.max(feature.hi)) || 1, step = width / feature.hi.length;
    const svg = d3.create("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("class", "chart").attr("role", "img")
      .attr("aria-label", "firings by activation");
    svg.selectAll("rect").data(feature.hi).join("rect").attr("class", "count linked").attr("x", (_, i) => i * step)
      .attr("width", step - 1).attr("y", d => height - low - (height - low) * Math.log1p(d) / most)
      .attr("height", d => (height - low) * Math.log1p(d) / most).append("title").text((d, i) =>
        `${format.plural(d, "firing")} from ${(feature.x * i / feature.hi.length).toPrecision(3)}`);
    const tick = (x, anchor, text) => svg.append("text").attr("class", "tick").attr("x", x).attr("y", height - 3)
      .attr("text-anchor", anchor).text(text);
    tick(0, "start", "0");
    tick(width, "end", feature.x.toPrecision(3));
    return h("section", {}, h("h3", {}, "Firings by activation"), svg.node(),
      h("p", { class: "quiet small" }, "log scale"));
  };

  // A word that would show nothing is named by its characters.
  const shown = word => /[^\p{C}\p{Z}]/u.test(word) ? word
    : [...word].map(c => "U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")).join(" ");

  const tokens = (title, help, list) => !list || list.length === 0 ? null : h("section", { class: "chips" },
    h("h3", { title: help }, title),
    h("p", {}, list.filter((_, i) => i % 2 === 0).map((word, i) =>
      h("span", { class: "chip", title: `${list[2 * i + 1] > 0 ? "+" : ""}${list[2 * i + 1]}` }, shown(word)))));

  const childList = (dictionary, feature) => {
    if (!feature.ch) return null;
    const larger = book.ofLevel(book.dictionary(dictionary).level + 1);
    return h("section", {}, h("h3", {}, "Children in ", book.name(larger)),
      h("ul", { class: "lines" }, feature.ch.map(([id, label, status, cosine, share]) => h("li", {},
        h("a", { href: "#" + book.id(larger, id) }, h("span", { class: "id" }, book.id(larger, id)), el.label(label)),
        h("span", { class: "line-end" }, el.status(book.child(status)),
          h("span", { class: "number", title: "cosine" }, format.short(cosine)),
          h("span", { class: "number quiet", title: "P(parent | child)" },
            share.length ? "P " + format.short(share[0]) : ""))))),
      feature.fc > feature.ch.length ? h("p", { class: "quiet" },
        `and ${format.count(feature.fc - feature.ch.length)} more of less activation`) : null);
  };

  const NEAREST = 8; // of each dictionary; the map has more

  const neighbours = (dictionary, id, lists) => {
    const found = lists.filter(list => list.features.length > 0);
    if (found.length === 0) return null;
    return [h("p", {}, h("a", { class: "map-link", href: "#map/" + book.id(dictionary, id) }, "Map of its neighbourhood")),
      found.map(list => h("section", {},
        h("h3", {}, list.dictionary === dictionary ? "Nearest in its own dictionary"
          : `Nearest in ${book.name(list.dictionary)}`),
        h("ul", { class: "lines" }, list.features.slice(0, NEAREST).map(one => h("li", {},
          h("a", { href: "#" + book.id(list.dictionary, one.id) }, h("span", { class: "id" },
            book.id(list.dictionary, one.id)), el.label(one.label)),
          h("span", { class: "line-end" }, h("span", { class: "number" }, format.short(one.cosine))))))))];
  };

  // Its page at Neuronpedia, where the run says what the dictionary is called there.
  const elsewhere = (dictionary, id) => {
    const name = book.dictionary(dictionary).neuronpedia;
    return name ? h("p", {}, h("a", { href: `https://www.neuronpedia.org/${name}/${id}`, rel: "noreferrer" },
      "Its page at Neuronpedia"), h("span", { class: "quiet" }, " (network)")) : null;
  };

  const otherLinks = (dictionary, feature) => {
    const below = tree.linkBelow(dictionary, feature);
    const others = feature.l.filter(link => link !== below && link.p !== undefined);
    if (others.length === 0 || feature.s !== 2) return null;
    return h("section", {}, h("h3", {}, "Against other dictionaries"), others.map(link => sentence(dictionary, link)));
  };

  const examples = (dictionary, feature) => {
    const hasRelatives = feature.ch || tree.linkBelow(dictionary, feature);
    const box = h("div", {});
    const plain = () => fill(box, h("h2", {}, "Strongest examples"),
      strips.list(dictionary, feature, strip => strip.k === 0),
      h("h2", {}, "Examples by strength"), h("p", { class: "quiet small" },
        "One from each interval of the activation, drawn at random; percent of the maximum."),
      strips.list(dictionary, feature, strip => strip.k > 0));
    const compared = () => {
      fill(box, h("h2", {}, "The same tokens for parent and children"),
        h("ol", { class: "same-list" }, tree.sameTokens(dictionary, feature, true)));
      strips.centre(box);
    };
    plain();
    if (!hasRelatives) return [box];
    return [h("label", { class: "toggle" }, h("input", { type: "checkbox",
      onchange: event => (event.target.checked ? compared() : plain()) }),
      " with parent and children on the same tokens"), box];
  };

  const familyLine = (dictionary, feature) => {
    if (!feature.r) return null;
    const [rootDictionary, root, label] = feature.r;
    const isOwn = rootDictionary === dictionary && root === feature.i;
    if (isOwn && !feature.ch) return h("p", { class: "crumb" }, "a tree of its own");
    return h("p", { class: "crumb" }, isOwn ? "root of a family: " : "in the family of ",
      h("a", { href: `#family/${book.id(rootDictionary, root)}` }, book.id(rootDictionary, root), " ",
        el.label(label)));
  };

  const checkId = (dictionary, id) => {
    const own = book.dictionary(dictionary);
    if (id >= own.latents) throw new Error(`${own.name} has features 0 to ${format.count(own.latents - 1)}; there is no ${id}.`);
  };

  const show = async (main, dictionary, id) => {
    checkId(dictionary, id);
    const own = book.dictionary(dictionary);
    const [feature, near] = await Promise.all([fetchFeature(dictionary, id), fetchNear(dictionary, id)]);
    fill(main, familyLine(dictionary, feature),
      h("h1", {}, h("span", { class: "id" }, book.id(dictionary, id)), " ", el.label(feature.n),
        !Array.isArray(feature.n) && feature.n ? h("span", { class: "tag" }, "automatic") : null),
      lines(dictionary, feature), own.control_of ? h("p", { class: "quiet" },
        `${own.name} is a twin of ${own.control_of}: another seed, no part of any family.`) : null,
      h("div", { class: "columns" },
        h("div", {}, feature.e ? examples(dictionary, feature) : h("p", { class: "quiet" },
          "It never fires, so there are no examples.")),
        h("aside", {}, facts(feature), h("p", {}, el.flags(feature.g)), histogram(feature),
          tokens("Makes likelier", "tokens whose logits its direction raises most, through the final norm and the output head", feature.pt),
          tokens("Makes less likely", "tokens whose logits its direction lowers most", feature.st), childList(dictionary, feature),
          otherLinks(dictionary, feature), neighbours(dictionary, id, near), elsewhere(dictionary, id))));
  };

  return { show, lines, checkId };
})();
