"use strict";
// The page works without this file; here are the countdown, the way back and the double press.
const started = performance.now();

function countDown(clock) {
  const left = () => Number(clock.dataset.leftMs) - (performance.now() - started);
  const show = () => {
    const seconds = Math.max(0, Math.ceil(left() / 1000));
    const parts = [Math.floor(seconds / 60), seconds % 60];
    const time = parts.map((part) => String(part).padStart(2, "0")).join(":");
    clock.textContent = clock.dataset.words.replace("{}", time);
    if (left() <= -300) {
      location.reload();
    } else {
      setTimeout(show, 250);
    }
  };
  show();
}

function goBack(line) {
  const end = Number(line.dataset.seconds) * 1000;
  const count = line.querySelector("b");
  line.classList.add("running");
  const show = () => {
    const left = end - (performance.now() - started);
    count.textContent = String(Math.max(0, Math.ceil(left / 1000)));
    if (left <= 0) {
      location.assign(line.dataset.url);
    } else {
      setTimeout(show, 200);
    }
  };
  show();
}

document.querySelectorAll("[data-left-ms]").forEach(countDown);
document.querySelectorAll(".return[data-url]").forEach(goBack);
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || button.getAttribute("aria-disabled") === "true") {
    event.preventDefault();
    return;
  }
  button.setAttribute("aria-disabled", "true");
  button.textContent = document.querySelector(".phone").dataset.sending;
});
// Coming back by the browser's own button shows the page as it is now, not as it was.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
