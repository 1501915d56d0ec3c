// Follows a run while it is active, asks before what cannot be undone, draws charts.
"use strict";

(() => {
  const WAIT = 700;
  let source = null;
  let timer = null;

  function change() {
    // Many records may come at once: the page is asked for once.
    if (timer) return;
    timer = setTimeout(() => {
      timer = null;
      const run = document.getElementById("run");
      if (run) run.dispatchEvent(new Event("changed"));
    }, WAIT);
  }

  function follow() {
    const run = document.getElementById("run");
    const address = run && run.dataset.events;
    if (!address) {
      if (source) source.close();
      source = null;
      return;
    }
    if (source) return;
    source = new EventSource(address);
    const kinds = ["run_started", "run_resumed", "run_finished", "step_started",
      "step_finished", "branch_started", "branch_finished", "step_claimed", "over",
      "gone"];
    for (const kind of kinds) source.addEventListener(kind, change);
    for (const kind of ["over", "gone"]) {
      source.addEventListener(kind, () => { source.close(); source = null; });
    }
  }

  function followEnds() {
    for (const box of document.querySelectorAll("[data-follow]")) {
      const log = document.getElementById(box.dataset.follow);
      if (log && box.checked) log.scrollTop = log.scrollHeight;
    }
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function draw(place) {
    if (place.dataset.drawn === place.dataset.chart) return;
    place.dataset.drawn = place.dataset.chart;
    place.replaceChildren();
    const chart = JSON.parse(place.dataset.chart);
    if (!chart.x.length) { place.textContent = "No run has ended."; return; }
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line") },
      ticks: { stroke: colour("--line") } };
    const below = { ...axis };
    if (chart.names) {
      below.splits = () => chart.x;
      below.values = (_, numbers) => numbers.map((it) => `#${it}`);
    }
    const options = {
      width: Math.max(260, place.clientWidth),
      height: 220,
      cursor: { y: false },
      legend: { live: true },
      scales: { x: { time: Boolean(chart.is_time) }, y: { range: (_, low, high) => {
        const room = (high - low || Math.abs(high) || 1) * 0.1;
        return [chart.is_time ? 0 : low - room, high + room];
      } } },
      axes: [below, axis],
      series: [
        { label: chart.is_time ? "began" : "run" },
        { label: chart.label, stroke: colour("--accent"), width: 2,
          points: { show: true, size: 6 } },
      ],
    };
    if (chart.names) options.series[0].value = (_, it) => chart.names[it - 1] || "";
    new uPlot(options, [chart.x, chart.y], place);
  }

  // The token is kept for this origin: a cookie would be sent to other ports as well.
  function remember() {
    const given = document.querySelector("[data-token]");
    if (given) {
      localStorage.setItem("runnable-token", given.dataset.token);
      location.replace(given.dataset.next);
    }
    if (localStorage.getItem("runnable-token")) {
      document.documentElement.classList.add("may-act");
    }
  }

  function refresh() {
    follow();
    followEnds();
    for (const place of document.querySelectorAll("[data-chart]")) draw(place);
  }

  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button && button.dataset.sure && !window.confirm(button.dataset.sure)) {
      event.preventDefault();
      return;
    }
    if (event.target.method !== "post") return;
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "token";
    field.value = localStorage.getItem("runnable-token") || "";
    event.target.append(field);
  });
  document.addEventListener("change", followEnds);
  document.addEventListener("htmx:after:swap", refresh);
  new MutationObserver(() => { follow(); followEnds(); })
    .observe(document.getElementById("main"), { childList: true, subtree: true,
      attributes: true, attributeFilter: ["data-events"], characterData: true });
  remember();
  refresh();
})();
