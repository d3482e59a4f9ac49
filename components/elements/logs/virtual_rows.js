// A list of rows of different heights of which only those in sight are in the document. What is in sight stays there when
// other rows come, go, or turn out to be of another height.

const OVERSCAN = 12; // rows above and below those in sight
const MAX_PASSES = 5; // a pass may bring rows into the document that were never measured

// `rows` returns all rows, each with a `key`, a `line` and a `height`, 0 until it was measured; `estimate` the height of one
// that was not, by the width of the list. `render` makes the element of a row, and `stamp` changes when it has to be made anew.
// `sticks` says whether the end is to stay in sight when the list changes its size.
export function virtualRows({ rows, estimate, render, stamp, sticks }) {
  let box = null; // the scrolled element
  let sheet = null; // its child, as high as all rows
  let offsets = new Float64Array(1);
  let first = 0; // index of the first row in the document
  let shown = [];
  const elements = new Map();
  let frame = 0;
  let width = 0;
  let ownTop = -1; // where the list itself has scrolled to
  let onScroll = () => {};

  function refresh() {
    const all = rows();
    offsets = new Float64Array(all.length + 1);
    for (let index = 0; index < all.length; index++) {
      offsets[index + 1] = offsets[index] + (all[index].height || estimate(all[index], width));
    }
  }

  function indexAt(y) {
    let [low, high] = [0, Math.max(0, offsets.length - 2)];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (offsets[middle + 1] <= y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function elementOf(row) {
    const mark = stamp(row);
    const known = elements.get(row.key);
    if (known?.mark === mark) return known.element;
    const element = render(row);
    known?.element.replaceWith(element);
    elements.set(row.key, { mark, element });
    return element;
  }

  function draw(top) {
    const all = rows();
    first = Math.max(0, indexAt(top) - OVERSCAN);
    shown = all.slice(first, indexAt(top + box.clientHeight) + OVERSCAN + 1);
    const keys = new Set(shown.map((row) => row.key));
    for (const [key, { element }] of elements) {
      if (keys.has(key)) continue;
      element.remove();
      elements.delete(key);
    }
    sheet.style.paddingTop = `${offsets[first]}px`;
    sheet.style.height = `${offsets.at(-1)}px`;
    let next = sheet.firstChild;
    for (const row of shown) {
      const element = elementOf(row);
      next ??= null;
      if (next && !next.isConnected) next = sheet.firstChild;
      if (element === next) next = next.nextSibling;
      else sheet.insertBefore(element, next);
    }
  }

  // Returns whether a row in the document has another height than was assumed.
  function measure() {
    let isChanged = false;
    shown.forEach((row, index) => {
      const { height } = elements.get(row.key).element.getBoundingClientRect();
      if (!height) return;
      const assumed = offsets[first + index + 1] - offsets[first + index];
      row.height = height;
      if (Math.abs(height - assumed) > 0.01) isChanged = true;
    });
    return isChanged;
  }

  const isShown = () => box !== null && box.clientHeight > 0;
  const anchorOf = () => {
    const index = indexAt(box.scrollTop);
    const row = rows()[index];
    return row && { index, line: row.line, delta: box.scrollTop - offsets[index] };
  };

  // Changes rows and shows them. `target` returns where to scroll to by the present offsets; by default what is in sight stays.
  function update(change = () => {}, target = null) {
    if (!isShown()) return void change();
    const anchor = target ? null : anchorOf();
    change();
    refresh();
    if (anchor) {
      const all = rows();
      if (all[anchor.index]?.line !== anchor.line) anchor.index = all.findIndex((row) => row.line === anchor.line);
    }
    const wanted = () => (target ? target() : anchor && anchor.index >= 0 ? offsets[anchor.index] + anchor.delta : 0);
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const top = Math.max(0, Math.min(wanted(), offsets.at(-1) - box.clientHeight));
      draw(top);
      const isChanged = measure();
      if (isChanged) refresh();
      if (!isChanged || pass === MAX_PASSES - 1) {
        box.scrollTop = top;
        ownTop = box.scrollTop;
        return;
      }
    }
  }

  function scrolled() {
    if (frame || Math.abs(box.scrollTop - ownTop) < 1) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      if (!isShown()) return;
      const isUp = box.scrollTop < ownTop;
      ownTop = box.scrollTop;
      update();
      onScroll({ isUp });
    });
  }

  function forget() {
    for (const row of rows()) row.height = 0;
  }

  const observer = new ResizeObserver(() => {
    if (box.clientWidth !== width) forget();
    width = box.clientWidth;
    update(undefined, sticks() ? () => offsets.at(-1) : null);
  });
  const atEnd = () => !box || offsets.at(-1) - box.scrollTop - box.clientHeight < 24;

  return {
    attach(element, handler) {
      if (element === box) return;
      observer.disconnect();
      box = element;
      if (!box) return;
      sheet = box.firstElementChild;
      elements.clear();
      onScroll = handler;
      width = box.clientWidth;
      box.addEventListener("scroll", scrolled, { passive: true });
      observer.observe(box);
      update();
    },
    close: () => (observer.disconnect(), cancelAnimationFrame(frame)),
    update,
    forget,
    bottom: (change) => update(change, () => offsets.at(-1)),
    centre: (indexOf, change) =>
      update(change, () => {
        const index = indexOf();
        return offsets[index] - (box.clientHeight - (offsets[index + 1] - offsets[index])) / 2;
      }),
    isInSight: (index) =>
      isShown() && offsets[index] >= box.scrollTop && offsets[index + 1] <= box.scrollTop + box.clientHeight,
    sight: () => (isShown() ? [indexAt(box.scrollTop), indexAt(box.scrollTop + box.clientHeight - 1)] : [0, -1]),
    atEnd,
  };
}
