/**
 * Who is here, and who gets the next message.
 *
 * The people are shown twice, as a list of buttons and as a selector beside the text; both
 * choose the addressee. If the addressee leaves, the choice stays: a private message must
 * not go to everybody because its addressee left while it was being written.
 */
import { make, setText } from './dom.js';
import { avatar } from './log.js';

const { compare } = new Intl.Collator();

export class People extends EventTarget {
  #list;
  #select;
  #count;
  #names = new Set();
  #me = '';
  #drawing = 0;

  /**
   * @param {HTMLElement} list
   * @param {HTMLSelectElement} select  its first option means everybody
   * @param {HTMLElement} count
   */
  constructor(list, select, count) {
    super();
    this.#list = list;
    this.#select = select;
    this.#count = count;
    select.addEventListener('change', () => this.choose(select.value));
    list.addEventListener('click', ({ target }) => {
      const button = target.closest('button');
      if (!button) return;
      this.choose(this.chosen === button.value ? '' : button.value);
    });
  }

  /** The addressee; empty means everybody. */
  get chosen() {
    return this.#select.value;
  }

  /** Picks an addressee, and fires `choose`. */
  choose(name) {
    this.#select.value = name;
    this.#draw();
    this.dispatchEvent(new Event('choose'));
  }

  /** Sets who is here. @param {Iterable<string>} names */
  reset(names, me) {
    this.#names = new Set(names);
    this.#me = me;
    this.#drawSoon();
  }

  /** Adds or removes a name. */
  change(name, here) {
    if (here) this.#names.add(name);
    else this.#names.delete(name);
    this.#drawSoon();
  }

  /** At most once per frame: after a restart all people join at once. */
  #drawSoon() {
    this.#drawing ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    const { chosen } = this;
    const names = [...this.#names].sort(compare);
    setText(this.#count, String(names.length));
    update(this.#list, names, (name) => person(name, name === this.#me));
    for (const button of this.#list.querySelectorAll('button')) {
      button.setAttribute('aria-pressed', button.value === chosen);
    }

    const others = names.filter((name) => name !== this.#me);
    if (chosen && !others.includes(chosen)) others.push(chosen);
    update(this.#select, ['', ...others], (name) => make('option', { value: name }, name));
    for (const option of this.#select.options) {
      if (option.value) setText(option, this.#names.has(option.value) ? option.value : `${option.value} (gone)`);
    }
  }
}

function person(name, me) {
  const label = make('bdi', {}, name);
  if (me) return make('li', {}, make('span', { class: 'person' }, avatar(name), make('span', {}, label, ' (you)')));
  return make('li', {}, make('button', {
    type: 'button', class: 'person', value: name, title: `Write to ${name} alone`,
  }, avatar(name), label));
}

/**
 * Makes the children of an element match the given keys, in order. Children that can stay
 * are not touched, so neither focus nor an open selector is lost.
 */
function update(parent, keys, build) {
  const wanted = new Set(keys);
  const present = new Map();
  for (const child of [...parent.children]) {
    const key = child.dataset.key ?? '';
    if (wanted.has(key)) present.set(key, child);
    else child.remove();
  }
  keys.forEach((key, index) => {
    let child = present.get(key);
    if (!child) {
      child = build(key);
      child.dataset.key = key;
    }
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}
