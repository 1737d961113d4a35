"use strict";
// Moves the marker and the sentence to the row of the table that the slider points to. All numbers
// stand in the table; without this script the page says the same, at the policy's own threshold.
(() => {
  const slider = document.getElementById("threshold-slider");
  const rows = Array.from(document.querySelectorAll("#thresholds tbody tr"));
  if (!slider || rows.length === 0) return;
  const sentence = document.getElementById("threshold-sentence");
  const point = document.getElementById("marker-point");
  const stopped = document.getElementById("marker-stopped");
  const allowed = document.getElementById("marker-allowed");
  const place = (shape, values) => {
    for (const [name, value] of Object.entries(values)) shape.setAttribute(name, value);
  };
  const show = () => {
    const row = rows[Number(slider.value)];
    const at = row.dataset;
    place(point, { cx: at.x, cy: at.y });
    place(stopped, { x1: at.xLow, x2: at.xHigh, y1: at.y, y2: at.y });
    place(allowed, { x1: at.x, x2: at.x, y1: at.yLow, y2: at.yHigh });
    sentence.textContent = at.sentence;
    slider.setAttribute("aria-valuetext", at.short);
    for (const other of rows) other.classList.toggle("chosen", other === row);
  };
  slider.addEventListener("input", show);
  document.getElementById("slider").hidden = false;
  show();
})();
