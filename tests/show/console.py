#!/usr/bin/env python3
"""Open a report from disk in headless Chromium, use it as a reader would, and fail on any console error, network
request, or view that is not there.  usage: console.py REPORT_FOLDER [FOLDER_FOR_PICTURES]"""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

MOST_BYTES = 5_000_000  # of files that one view may load


class Browser:
    """Chromium's DevTools protocol over two pipes: no port, no library."""

    def __init__(self):
        self.profile = tempfile.mkdtemp()
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        flags = ("--headless --no-sandbox --disable-gpu --remote-debugging-pipe --hide-scrollbars --no-first-run "
                 "--disable-background-networking --disable-component-update")
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" {flags} --user-data-dir="$1" about:blank 3<&{to_read} 4>&{from_write}',
             program, self.profile], pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.out, self.input = to_write, from_read
        self.buffer, self.events, self.number, self.session = b"", [], 0, None

    def message(self, seconds):
        deadline = time.monotonic() + seconds
        os.set_blocking(self.input, False)
        while b"\0" not in self.buffer:
            try:
                self.buffer += os.read(self.input, 1 << 20)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return None
                time.sleep(0.005)
        raw, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(raw)

    def call(self, method, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.out, json.dumps(request).encode() + b"\0")
        while True:
            answer = self.message(60)
            if answer is None:
                raise RuntimeError(f"no answer to {method}")
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def run(self, code):
        """The value of JavaScript in the page; promises are awaited."""
        result = self.call("Runtime.evaluate", expression=f"(async () => {{ {code} }})()", awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"].get("description"))
        return result["result"].get("value")

    def open(self, url):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.call(domain + ".enable")
        self.call("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            event = self.message(30)
            if event is None:
                raise RuntimeError(url + " does not load")
            self.events.append(event)

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


def complaint(event):
    """What an event says against the page; None for nothing."""
    kind, says = event.get("method"), event.get("params", {})
    if kind == "Runtime.exceptionThrown":
        details = says["exceptionDetails"]
        return "exception: " + str(details.get("exception", {}).get("description", details["text"]))
    if kind == "Runtime.consoleAPICalled" and says["type"] in ("error", "warning", "assert"):
        return "console: " + json.dumps(says["args"])[:300]
    if kind == "Log.entryAdded" and says["entry"]["level"] in ("error", "warning"):
        return "log: " + says["entry"]["text"] + " " + says["entry"].get("url", "")
    if kind == "Network.requestWillBeSent" and not says["request"]["url"].startswith(("file:", "data:", "about:")):
        return "network: " + says["request"]["url"]
    return None


WAIT = """
const ready = hash => new Promise((done, fail) => {
  const began = Date.now();
  const look = () => document.documentElement.dataset.ready === hash ? done()
    : Date.now() - began > 20000 ? fail(new Error("not shown: " + hash)) : setTimeout(look, 10);
  look();
});
const go = async hash => {
  if ((location.hash || "#") !== hash) { delete document.documentElement.dataset.ready; location.hash = hash; }
  await ready(location.hash || "#");
};
const all = selector => [...document.querySelectorAll(selector)];
const until = (what, found) => new Promise((done, fail) => {
  const began = Date.now();
  const look = () => found() ? done() : Date.now() - began > 20000 ? fail(new Error("never: " + what)) : setTimeout(look, 10);
  look();
});
"""


class Report:
    def __init__(self, browser, folder, pictures):
        self.browser, self.pictures = browser, pictures
        self.facts = self.failed = self.seen = 0
        began = time.monotonic()
        browser.open("file://" + os.path.abspath(folder) + "/index.html")
        self.run('await ready("#");')
        self.opened = time.monotonic() - began
        self.check(f"opens in {self.opened:.2f} s with {self.loaded() / 1e6:.2f} MB", True)

    def loaded(self):
        """Bytes of the files that were asked for since the last call."""
        asked = [event["params"]["request"]["url"] for event in self.browser.events[self.seen:]
                 if event.get("method") == "Network.requestWillBeSent"]
        self.seen = len(self.browser.events)
        files = [urllib.parse.unquote(url[7:].partition("#")[0]) for url in asked if url.startswith("file://")]
        return sum(os.stat(file).st_size for file in files if os.path.exists(file))

    def run(self, code):
        return self.browser.run(WAIT + code)

    def check(self, name, is_true):
        self.facts += 1
        self.failed += not is_true
        print(("ok   " if is_true else "FAIL ") + name)

    def view(self, name, address, selector, least=1):
        """A view holds what it should, and fits the window at both widths, light and dark."""
        began = time.monotonic()
        self.run(f"await go({json.dumps(address)});")
        took, size = time.monotonic() - began, self.loaded()
        self.check(f"{name}: {size / 1e6:.2f} MB in {took:.2f} s", size <= MOST_BYTES)
        found = self.run(f"return all({json.dumps(selector)}).length;")
        self.check(f"{name}: {found} x {selector}", found >= least)
        self.check(f"{name} has no hole", not self.run(
            "return /undefined|\\[object|NaN|(^|\\s)null(\\s|$)/.test(document.querySelector('main').innerText);"))
        for width in (1280, 800, 390):
            self.browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                              mobile=False)
            self.check(f"{name} fits {width} pixels", self.run("return document.documentElement.scrollWidth <= innerWidth;"))
            for theme in ("light", "dark") if self.pictures else ():
                self.run(f'document.documentElement.dataset.theme = "{theme}";')
                self.picture(f"{name}-{width}-{theme}")
        self.browser.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)

    def picture(self, name):
        height = self.run("return Math.min(2400, document.documentElement.scrollHeight);")
        data = self.browser.call("Page.captureScreenshot", captureBeyondViewport=True, clip={
            "x": 0, "y": 0, "width": self.run("return innerWidth;"), "height": height, "scale": 1})["data"]
        with open(os.path.join(self.pictures, name.replace(" ", "_") + ".png"), "wb") as file:
            file.write(base64.b64decode(data))


def first_family(report):
    return report.run("return (await cleave.load('families/0/0'))[0][0];")


def use_table(report):
    report.run('await go("#families");')
    report.run("""document.querySelector('[data-column="purity"]').focus();""")
    for event in ("keyDown", "keyUp"):
        report.browser.call("Input.dispatchKeyEvent", type=event, key="Enter", code="Enter", text="\r",
                            windowsVirtualKeyCode=13)
    report.run("""await until("sorted", () => all('th[aria-sort="descending"] [data-column="purity"]').length === 1);""")
    values = report.run("return all('.listing tbody tr').map(row => parseFloat(row.cells[row.cells.length - 2].textContent));")
    report.check("the table sorts by the keyboard", values == sorted(values, reverse=True))
    report.check("and keeps the focus", report.run("return document.activeElement.dataset.column;") == "purity")
    report.run("""const box = document.querySelector(".filter"); box.value = "zzzz"; box.dispatchEvent(new Event("input"));
      await until("filtered", () => all(".listing tbody tr").length === 0);
      box.value = ""; box.dispatchEvent(new Event("input")); await until("unfiltered", () => all(".listing tbody tr").length > 0);""")
    report.run("""all(".listing tbody tr")[0].cells[1].click();
      await until("opened", () => location.hash.startsWith("#family/") && all(".tree .node").length > 0);""")
    report.check("a click on a row opens the family", True)


def use_paged_table(report):
    """A table that the page does not hold: in order of size by pages, else the first rows by a column."""
    report.view("paged families", "#families", ".listing tbody tr")
    report.check("its order is said", "in order of size" in report.run("return document.querySelector('[role=status]').textContent;"))
    report.run("""document.querySelector('[data-column="purity"]').click();
      await until("sorted", () => /the first/.test(document.querySelector("[role=status]").textContent));""")
    values = report.run("return all('.listing tbody tr').map(row => parseFloat(row.cells[row.cells.length - 2].textContent));")
    report.check("it comes sorted", len(values) > 1 and values == sorted(values, reverse=True))


def use_tree(report, family):
    report.run(f"await go({json.dumps(family)});")
    count = report.run("return all('.tree .node').length;")
    report.run("""const node = all(".tree .node:not(.more)").pop(); node.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
      const name = node.querySelector(".node-id").textContent;
      await until("selected", () => document.querySelector(".panel h2 .id").textContent === name);""")
    report.check(f"each of {count} nodes of the tree opens by the keyboard", count >= 1)
    report.run("""all(".tree .node")[0].dispatchEvent(new MouseEvent("click"));
      await until("same tokens", () => all(".same .strip .token").length > 0);""")
    report.check("parent and children stand on the same tokens", report.run("""
      return all(".same").every(box => new Set([...box.querySelectorAll(".strip")].map(line => line.textContent)).size === 1);"""))
    report.check("orange stands behind tokens", report.run("""
      return all(".token").some(token => token.style.backgroundColor.startsWith("rgb"));"""))


def use_search(report):
    word = report.run("""const label = labelText((await cleave.load("families/0/0"))[0][1]);
      return label.split(/[\\s·]+/).find(word => /^\\w{3,}$/.test(word)) || "";""")
    if word:
        found = report.run(f"""const input = document.querySelector("#finder"); input.focus(); input.value = {json.dumps(word[:3])};
          input.dispatchEvent(new Event("input"));
          await until("options", () => all("#found [role=option]").length > 0);
          return all("#found [role=option]").map(one => one.textContent.toLowerCase());""")
        report.check(f"search finds labels by a beginning ({word[:3]})", all(word[:3].lower() in text for text in found))
        report.run("""const input = document.querySelector("#finder"); input.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowDown"}));
          document.querySelector(".finder").requestSubmit();
          await until("feature", () => /^#[^/]+\\/\\d+$/.test(location.hash) && all(".examples").length > 0);""")
        report.check("and opens the chosen one", True)
    name = report.run("return cleave.run.dictionaries[1].name;")
    report.run(f"""document.querySelector("#finder").value = "{name}/3"; document.querySelector("#finder").dispatchEvent(new Event("input"));
      await until("id", () => all("#found [role=option]").length === 1);""")
    report.check("search finds an id", True)
    report.run("""document.querySelector("#finder").value = ""; document.querySelector("#finder").dispatchEvent(new Event("input"));""")


def use_thresholds(report):
    moved = report.run("""await go("#");
      const before = all(".facts dd").map(node => node.textContent).join();
      const slider = document.querySelector("#threshold");
      slider.value = slider.max;
      slider.dispatchEvent(new Event("input"));
      const words = document.querySelector("output.number").textContent;
      return words.startsWith("0.8") && before !== all(".facts dd").map(node => node.textContent).join();""")
    report.check("the threshold moves every count", moved)
    report.check("chance and another seed are drawn", report.run(
        """return all("path.curve.chance").length > 0 && all("path.curve.seed").length > 0;"""))
    report.check("warnings of the run are said", report.run(
        """const said = all(".notice li").map(node => node.textContent); return cleave.run.warnings.every(text => said.includes(text));"""))


def use_map(report, address):
    report.view("map", address, ".map .point", 2)
    report.run(f"await go({json.dumps(address)});")
    report.check("rings stand at 1 - cosine", report.run("""
      const nodes = [...d3.selectAll(".map .point").data()].filter(node => !node.isCentre);
      const ratios = nodes.map(node => Math.hypot(node.x, node.y) / (1 - node.cosine));
      return nodes.length > 0 && ratios.every(ratio => Math.abs(ratio / ratios[0] - 1) < 1e-6);"""))
    count = report.run("return all('.map .point').length;")
    report.run("""const point = all(".map .point")[1]; point.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
      await until("selected", () => document.querySelector(".panel h2 .id").textContent === point.getAttribute("aria-label").split(" ")[0]);""")
    report.check(f"each of {count} points opens by the keyboard", True)
    left = report.run("""const box = all(".map-toggles input[type=checkbox]")[0]; box.click();
      const count = all(".map .point").length; box.click(); return count;""")
    report.check("a dictionary can be hidden", left < count and report.run("return all('.map .point').length;") == count)
    said = report.run("""all(".map-toggles input[type=radio]")[1].click();
      const text = document.querySelector("main").innerText; all(".map-toggles input[type=radio]")[0].click(); return text;""")
    report.check("the web says that it is not metric", "not metric" in said)


def use_groups(report):
    pair = report.run("""const pair = cleave.run.pairs.find(one => one.novel);
      return pair ? book.name(pair.child) + "/" + book.name(pair.parent) : "";""")
    report.check("a level was compared with itself", pair != "")
    report.view("new", f"#new/{pair}", "main .lead b", 3)
    report.view("holes", f"#holes/{pair}", "h1")
    if report.run("return all('.hole').length;"):
        report.run("""all(".hole summary")[0].click(); await until("opened", () => all(".hole .same .strip").length > 0);""")
        report.check("a hole shows what fills it, on the same tokens", True)


def use_history(report, first, second):
    """Back and forward of the browser, and a link that was kept."""
    report.run(f"await go({json.dumps(first)}); await go({json.dumps(second)});")
    for step, address in ((-1, first), (1, second)):
        report.run(f"""delete document.documentElement.dataset.ready; history.go({step}); await ready({json.dumps(address)});""")
    report.check("back and forward", report.run("return location.hash;") == second)


def use_scripts(report, address):
    """Text stays text, whatever it says, and in whatever direction it is read."""
    report.run(f"await go({json.dumps(address)});")
    report.check("text of the run stays text", report.run("""
      return all("main script, main iframe, main img").length === 0 && all(".token *, .label *").length === 0;"""))
    report.check("no script of the run has run", report.run("return typeof owned === 'undefined';"))
    if report.run("return !all('.examples .token').some(token => /[\u0600-\u06ff]/.test(token.textContent));"):
        return
    report.check("a word from right to left leaves its neighbours where they are", report.run("""
      return all(".examples .strip").every(strip => {
        const places = [...strip.children].map(token => token.getClientRects()[0]).filter(Boolean);
        return places.every((place, i) => i === 0 || place.top > places[i - 1].top + 4 || place.left >= places[i - 1].left - 1);
      });"""))
    report.check("words without spaces are there", report.run("return all('.examples .token').some(token => token.textContent.includes('語言'));"))


def use_all(report):
    if not report.run("return cleave.run.families.whole;"):
        use_paged_table(report)
        return
    names = report.run("return cleave.run.dictionaries.map(one => one.name);")
    levels = report.run("return book.levels().map(one => one.name);")
    family = f"#family/{levels[0]}/{first_family(report)}"
    report.view("overview", "#", ".chart .count", 100)
    report.view("families", "#families", ".listing tbody tr")
    report.view("family", family, ".tree .node")
    report.view("feature", f"#{names[-1]}/9", ".examples li")
    if report.run(f"return (await fetchFeature({len(names) - 1}, 9)).pt !== undefined;"):
        report.check("promoted and suppressed tokens", report.run("return all('.chips .chip').length >= 12;"))
    report.check("firings by activation", report.run("return all('aside .chart rect').length === 30;"))
    report.view("compared feature", f"#{levels[1]}/{report.run('return (await fetchFeature(1, 0)).i;')}", "h1")
    report.run('await go("#");')
    report.view("statuses", report.run("return document.querySelector('.bars a').getAttribute('href');"), ".listing tbody tr")
    report.view("search", "#search/a", "h1")
    report.view("a dead or silent feature", f"#{levels[-1]}/{report.run('return book.levels().at(-1).latents - 1;')}", "h1")
    use_map(report, f"#map/{levels[-1]}/9")
    use_groups(report)
    use_history(report, family, f"#{names[-1]}/9")
    use_thresholds(report)
    use_table(report)
    use_tree(report, family)
    use_search(report)
    use_scripts(report, f"#{names[-1]}/9")
    report.run('await go("#nowhere/at/all");')
    report.check("an unknown address says so", report.run("return all('main .notice').length === 1;"))


def main():
    if not (shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")):
        print("skipped: no Chromium")
        return 77
    browser = Browser()
    try:
        report = Report(browser, sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
        use_all(report)
        browser.call("Runtime.evaluate", expression="1")
        complaints = [c for c in map(complaint, browser.events) if c]
        for text in complaints:
            print(text)
        report.check(f"{len(browser.events)} events, no console error, no network", not complaints)
        print(f"{report.facts - report.failed} passed, {report.failed} failed")
        return 1 if report.failed else 0
    finally:
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
