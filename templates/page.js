"use strict";
// All of this is a convenience: without it the page has the same content.
(() => {
  // A theme button: the system's choice until it is pressed.
  const button = document.createElement("button");
  button.type = "button";
  button.className = "theme";
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = dark() ? "Light theme" : "Dark theme"; };
  button.addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; name(); });
  name();
  document.querySelector(".toc").append(button);

  // On a phone the contents start closed.
  if (matchMedia("(max-width: 1179px)").matches) document.querySelector(".toc details").open = false;

  // A link into a closed details opens it.
  const reveal = () => {
    if (!location.hash) return;
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // The contents follow the reader.
  const links = new Map([...document.querySelectorAll(".toc a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) {
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const id of links.keys()) { const section = document.getElementById(id); if (section) seen.observe(section); }

  // Tables sort by a click on their heading; again turns the order round.
  for (const table of document.querySelectorAll("table.sortable")) {
    table.querySelectorAll("thead th").forEach((head, column) => {
      // Beside the words, not around them: a printed table repeats its headings, and buttons stay away.
      const sort = document.createElement("button");
      sort.type = "button";
      sort.setAttribute("aria-label", `Sort by ${head.textContent.trim()}`);
      head.append(" ", sort);
      sort.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => row.cells[column].innerText.trim();
        const rows = [...table.tBodies[0].rows].sort((a, b) => key(a).localeCompare(key(b), "en", { numeric: true }));
        table.tBodies[0].append(...(down ? rows.reverse() : rows));
      });
    });
  }

  // The time charts share a cursor that reads the data of the bucket under it.
  const readout = document.querySelector("#chart-timeline .readout");
  const points = readout ? JSON.parse(readout.dataset.points) : [];
  for (const svg of document.querySelectorAll("#chart-timeline svg")) {
    if (!points.length) break;
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    line.setAttribute("class", "cursor");
    svg.append(line);
    const box = svg.viewBox.baseVal;
    const [left, right] = [Number(readout.dataset.left), box.width - Number(readout.dataset.right)];
    const [from, to] = [Number(readout.dataset.from), Number(readout.dataset.to)];
    svg.addEventListener("pointermove", (event) => {
      const at = svg.getScreenCTM().inverse();
      const x = event.clientX * at.a + at.e;
      const time = from + ((x - left) / (right - left)) * (to - from);
      const point = points.findLast((known) => known[0] <= time) || points[0];
      const edge = left + ((point[0] - from) / (to - from)) * (right - left);
      for (const [name, value] of [["x1", edge], ["x2", edge], ["y1", 20], ["y2", box.height - 40]]) line.setAttribute(name, value);
      readout.textContent = point[1];
    });
    svg.addEventListener("pointerleave", () => { readout.textContent = ""; line.removeAttribute("x1"); line.setAttribute("x2", 0); });
  }
})();
