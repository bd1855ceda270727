// tables that are larger than their frame say so, and on which side there is more
(() => {
  const SLACK = 2;
  const tell = (box) => {
    const right = box.scrollWidth - box.clientWidth - box.scrollLeft > SLACK;
    const below = box.scrollHeight - box.clientHeight - box.scrollTop > SLACK;
    const across = box.scrollWidth - box.clientWidth > SLACK;
    box.classList.toggle("scrolls", across);
    box.classList.toggle("more-right", right);
    box.classList.toggle("more-left", box.scrollLeft > SLACK);
    box.classList.toggle("more-below", below && getComputedStyle(box).overflowY === "auto" && box.classList.contains("tall"));
    box.dataset.more = right ? "more to the right: scroll sideways \u2192" : "\u2190 more to the left";
    if (across || box.classList.contains("tall")) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const boxes = [...document.querySelectorAll(".scroll, .wide")];
  const watch = new ResizeObserver((entries) => entries.forEach(({ target }) => tell(target.closest(".scroll, .wide"))));
  for (const box of boxes) {
    box.addEventListener("scroll", () => tell(box), { passive: true });
    watch.observe(box);
    if (box.firstElementChild) watch.observe(box.firstElementChild);
  }
})();
