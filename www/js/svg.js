/**
 * Drawings in SVG that stretch to any size, as the charts of all pages use them.
 */
const SVG = 'http://www.w3.org/2000/svg';

/**
 * Makes an element of SVG, as make() makes one of HTML.
 *
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node|string)} children
 */
export function makeSvg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A path whose stroke keeps its width however the drawing is stretched. */
export const makePath = (kind = '') => makeSvg('path', { class: kind, 'vector-effect': 'non-scaling-stroke' });

/**
 * A drawing that is stretched to the size of its element.
 *
 * @param {string} kind  its class
 * @param {number} width  of its coordinates
 * @param {number} height
 * @param {Record<string, string>} attributes  further ones
 * @param {...Node} children
 */
export const makeDrawing = (kind, width, height, attributes, ...children) => makeSvg('svg', {
  class: kind, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', ...attributes,
}, ...children);
