// What people have typed reaches the page as text only: nothing here, or anywhere else, parses markup.

// el makes an element. Attributes beginning with "on" are listeners; false and null leave one out.
export function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value === true ? "" : value);
  }
  e.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

const svgSpace = "http://www.w3.org/2000/svg";

// svg makes an element of a drawing.
export function svg(tag, attributes, ...children) {
  const e = document.createElementNS(svgSpace, tag);
  for (const [name, value] of Object.entries(attributes || {})) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

// say sets a text where it differs, so that nothing is announced or drawn again for nothing.
export function say(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// show hides or shows.
export function show(e, yes) {
  if (e.hidden === yes) e.hidden = !yes;
}

// keyed makes the children of a parent those of a list of keys, in that order. An element that stays is not touched, so that the focus stays too.
export function keyed(parent, keys, make, update) {
  const old = parent.kept || (parent.kept = new Map());
  const wanted = new Set(keys);
  for (const [key, e] of old) {
    if (!wanted.has(key)) {
      e.remove();
      old.delete(key);
    }
  }
  let before = parent.firstElementChild;
  for (const key of keys) {
    let e = old.get(key);
    if (!e) {
      e = make(key);
      old.set(key, e);
    }
    if (e === before) before = before.nextElementSibling;
    else parent.insertBefore(e, before);
    update(e, key);
  }
}

// same reports whether an element was last drawn from the same values, and remembers these.
export function same(e, ...values) {
  const text = JSON.stringify(values);
  if (e.drawn === text) return true;
  e.drawn = text;
  return false;
}

// announce tells those who do not see the page.
export function announce(text) {
  say(document.getElementById("news"), text);
}
