"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  // a page opened from a file may have no storage
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* the choice is lost when the page closes */ } };
  const recall = (key) => { try { return localStorage.getItem(key); } catch { return null; } };

  // light, dark, or the system's setting
  const choose = (theme) => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
  };
  const themes = all("input[name=theme]");
  const stored = recall("spikeport-theme");
  for (const input of themes) {
    if (input.value === stored) { input.checked = true; choose(stored); }
    input.addEventListener("change", () => { choose(input.value); remember("spikeport-theme", input.value); });
  }
  for (const element of all("[data-scripted]")) element.hidden = false;

  // folded parts are also printed
  let folded = [];
  addEventListener("beforeprint", () => { folded = all("details:not([open])"); for (const d of folded) d.open = true; });
  addEventListener("afterprint", () => { for (const d of folded) d.open = false; });

  // a link into a folded part opens it
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.closest("details");
    if (details) { details.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();

  const plain = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");

  const bitsOf = (text, columns) => {
    const raw = atob(text), width = raw.length / columns;
    return (column, neuron) => raw.charCodeAt(column * width + (neuron >> 3)) >> (neuron & 7) & 1;
  };

  const maps = (layer, [neurons, width, height, across]) => {
    const bits = bitsOf(layer.dataset.packed, layer.seen.length), area = width * height;
    const now = layer.querySelector(".now"), before = layer.querySelector(".before");
    const first = Array.from({ length: neurons }, (_, n) => layer.seen.findIndex((_, c) => bits(c, n)));
    const cell = (n) => {
      const map = Math.floor(n / area), rest = n % area;
      const x = map % across * (width + 1) + rest % width;
      const y = Math.floor(map / across) * (height + 1) + Math.floor(rest / width);
      return `M${x} ${y}h1`;
    };
    return (column) => {
      let active = "", earlier = "";
      for (let n = 0; n < neurons; n++) {
        if (bits(column, n)) active += cell(n);
        else if (first[n] >= 0 && first[n] < column) earlier += cell(n);
      }
      now.setAttribute("d", active);
      before.setAttribute("d", earlier);
      return "";
    };
  };

  const counts = (layer) => {
    const totals = layer.dataset.packed.split(";").map((row) => row.split(",").map(Number));
    const rows = all(".class", layer), top = Math.max(1, ...totals[totals.length - 1]);
    return (column) => {
      const row = totals[column], most = Math.max(...row), leader = row.indexOf(most);
      rows.forEach((g, n) => {
        g.classList.toggle("leads", most > 0 && n === leader);
        g.querySelector(".bar").setAttribute("width", `${50 * row[n] / top}%`);
        g.lastElementChild.textContent = row[n];
      });
      return most > 0 ? `, neuron ${leader} leads with ${most}` : ", no answer yet";
    };
  };

  for (const stepper of all(".stepper")) {
    const slider = stepper.querySelector("input[type=range]"), play = stepper.querySelector("button");
    const shown = stepper.querySelector("output"), total = Number(stepper.dataset.total);
    const layers = all(".layer", stepper).map((layer) => {
      layer.seen = layer.dataset.seen.split(",").map(Number);
      const [kind, ...form] = layer.dataset.form.split(":");
      const draw = kind === "counts" ? counts(layer) : maps(layer, form.map(Number));
      return { draw, layer, cursor: layer.querySelector(".cursor"), words: layer.querySelector(".seen") };
    });
    const show = () => {
      const column = Number(slider.value), step = Math.floor(column * total / (Number(slider.max) + 1));
      shown.textContent = step;
      const states = layers.map(({ draw, layer, cursor, words }) => {
        cursor.setAttribute("x", column);
        const sum = layer.seen.slice(0, column + 1).reduce((a, b) => a + b, 0);
        words.textContent = `${plain(layer.seen[column])} now, ${plain(sum)} so far`;
        return `${layer.dataset.name} ${layer.seen[column]} spikes${draw(column)}`;
      });
      slider.setAttribute("aria-valuetext", `step ${step}: ${states.join("; ")}`);
    };
    slider.addEventListener("input", show);
    let timer = null;
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
    play.addEventListener("click", () => {
      if (timer !== null) { stop(); return; }
      if (slider.value === slider.max) slider.value = 0;
      show();
      play.textContent = "Stop";
      timer = setInterval(() => {
        if (slider.value === slider.max) { stop(); return; }
        slider.value = Number(slider.value) + 1;
        show();
      }, 350);
    });
    show();
  }
})();
