// Draws at most once a frame and not more often than the eye needs, however many events come in.

const least = 80; // ms between two drawings

/** A function that asks for `draw` to be called soon. */
export function soon(draw) {
  let asked = false;
  let drawnAt = 0;
  const frame = (now) => {
    if (now - drawnAt < least) {
      requestAnimationFrame(frame);
      return;
    }
    asked = false;
    drawnAt = now;
    draw();
  };
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(frame);
  };
}

/** Calls back at once and when the element's size changes, with its width and height in CSS pixels. */
export function onSize(element, resized) {
  new ResizeObserver(([{ contentRect }]) => resized(contentRect.width, contentRect.height)).observe(element);
}
