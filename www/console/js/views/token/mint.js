/**
 * Makes a token with a secret that is typed in.
 *
 * The secret is read when the button is pressed, handed to WebCrypto, and nothing else: it
 * is in no request and in no storage, and the field is emptied when the view is left. The
 * field is not of the type password, since browsers offer to store what such a field holds.
 */
import { quote } from '../../../../js/api.js';
import { copyButton } from '../../../../js/copy.js';
import { make, setText } from '../../../../js/dom.js';
import { commandBox } from '../../parts/command.js';
import { SECRET_BYTES, canSign, signToken } from '../../parts/jwt.js';
import { showContents } from './contents.js';

/** How long a token may be valid: as crier(1) writes it, in words, in seconds. */
const LIFETIMES = [
  ['15m', '15 minutes', 900],
  ['1h', '1 hour', 3600],
  ['1d', '1 day', 86_400],
  ['30d', '30 days', 2_592_000],
  ['365d', '1 year', 31_536_000],
  ['never', 'Never', null],
];
const MOST_SELECTORS = 256;

let fields = 0;

export class Mint {
  #app;
  #algorithm = select(Object.keys(SECRET_BYTES).map((name) => [name, name]));
  #secret = input({ class: 'mono masked', required: '', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' });
  #publish = make('textarea', { rows: '2', class: 'mono', spellcheck: 'false', autocapitalize: 'off', placeholder: 'news/*' });
  #subscribe = make('textarea', { rows: '2', class: 'mono', spellcheck: 'false', autocapitalize: 'off', placeholder: '*' });
  #subject = input({ autocomplete: 'off', spellcheck: 'false' });
  #lifetime = select(LIFETIMES);
  #admin = make('input', { type: 'checkbox' });
  #issuer = input({ autocomplete: 'off', spellcheck: 'false' });
  #audience = input({ autocomplete: 'off', spellcheck: 'false' });
  #kid = input({ autocomplete: 'off', spellcheck: 'false' });
  #trouble = make('p', { class: 'trouble', role: 'alert' });
  #result = make('div', { class: 'minted', 'aria-live': 'polite' });
  #command = commandBox('the crier command');
  element = make('section', { class: 'card mint' }, make('h2', {}, 'Make a token'));

  /** @param {import('../../app.js').App} app */
  constructor(app) {
    this.#app = app;
    this.#lifetime.value = '1h';
    const shell = make('div', { class: 'field' },
      make('p', { class: 'hint' }, 'The same in a shell, with the secret in a file:'), this.#command.element);
    if (!canSign()) {
      this.element.append(make('p', { class: 'trouble mild' }, 'This browser signs only on pages that come by https, or from this ' +
        'machine. Make the token in a shell.'));
    }
    this.element.append(...(canSign() ? [this.#buildForm(), this.#result] : []), shell);
    this.#showCommand();
  }

  /** Empties the field of the secret, and forgets the token. */
  clear() {
    this.#secret.value = '';
    this.#result.replaceChildren();
  }

  #buildForm() {
    const secretHint = make('p', { class: 'hint' });
    const showSecretHint = () => setText(secretHint, `At least ${SECRET_BYTES[this.#algorithm.value]} bytes, as the server has them. ` +
      'It does not leave this page: it is neither sent nor stored.');
    const show = make('button', { type: 'button', class: 'small', 'aria-pressed': 'false' }, 'Show');
    show.addEventListener('click', () => {
      const masked = this.#secret.classList.toggle('masked');
      show.setAttribute('aria-pressed', String(!masked));
      setText(show, masked ? 'Show' : 'Hide');
    });
    const form = make('form', { class: 'fields', autocomplete: 'off' },
      make('div', { class: 'pair narrow-first' }, field('Algorithm', this.#algorithm),
        field('Secret', make('span', { class: 'row' }, this.#secret, show), secretHint)),
      make('div', { class: 'pair' },
        field('May publish to', this.#publish), field('May subscribe to', this.#subscribe)),
      make('p', { class: 'hint' }, 'Selectors, one in a line: a topic, a prefix such as news/*, a template such as user/{id}, or * for all but names that begin with $.'),
      make('div', { class: 'pair' }, field('Subject', this.#subject), field('Expires after', this.#lifetime)),
      make('label', { class: 'check' }, this.#admin, make('span', {}, 'Admin'), make('span', { class: 'hint' }, 'may also delete, export, import and see the overview')),
      make('details', {}, make('summary', {}, 'Issuer, audience, key id'),
        make('div', { class: 'pair' }, field('Issuer (iss)', this.#issuer), field('Audience (aud)', this.#audience)),
        field('Key id (kid)', this.#kid),
        make('p', { class: 'hint' }, 'Only where the server wants them: a key with an issuer; ', make('code', {}, '--public-url'), ' as the audience.')),
      this.#trouble,
      make('p', {}, make('button', { class: 'primary' }, 'Make the token')));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#make();
    });
    form.addEventListener('input', () => {
      showSecretHint();
      this.#showCommand();
    });
    showSecretHint();
    return form;
  }

  /** The claims as the fields say; throws an Error that says what is wrong. */
  #claims(now) {
    const [publish, subscribe] = [this.#publish, this.#subscribe].map(readSelectors);
    if (publish.length + subscribe.length === 0 && !this.#admin.checked) {
      throw new Error('It grants nothing yet: name a selector to publish or to subscribe to, or make it an admin’s.');
    }
    const [issued, lifetime] = [Math.floor(now / 1000), LIFETIMES.find(([name]) => name === this.#lifetime.value)[2]];
    return {
      ...(this.#subject.value && { sub: this.#subject.value }),
      ...(this.#issuer.value && { iss: this.#issuer.value }),
      ...(this.#audience.value && { aud: this.#audience.value }),
      iat: issued,
      ...(lifetime && { exp: issued + lifetime }),
      mercure: { publish, subscribe },
      ...(this.#admin.checked && { crier: { admin: true } }),
    };
  }

  async #make() {
    this.#result.replaceChildren();
    const [algorithm, secret] = [this.#algorithm.value, this.#secret.value];
    const length = new TextEncoder().encode(secret).length;
    try {
      if (length < SECRET_BYTES[algorithm]) {
        throw new Error(`The secret has ${length} bytes; ${algorithm} needs at least ${SECRET_BYTES[algorithm]}.`);
      }
      const token = await signToken(algorithm, secret, this.#claims(Date.now()), this.#kid.value);
      setText(this.#trouble, '');
      this.#show(token);
    } catch ({ message }) {
      setText(this.#trouble, message);
    }
  }

  #show(token) {
    const use = make('button', { type: 'button', class: 'primary small' }, 'Use it in this tab');
    use.addEventListener('click', () => this.#app.session.use(token));
    this.#result.replaceChildren(
      make('h3', {}, 'The token'),
      make('pre', { class: 'token', tabindex: '0', 'aria-label': 'The token' }, make('code', {}, token)),
      make('p', { class: 'row' }, use, copyButton(() => token, 'the token')),
      ...showContents(token));
  }

  #showCommand() {
    const words = ['crier', 'token', '--key', `${this.#algorithm.value}:@secret.key`];
    const add = (option, value) => value && words.push(option, quote(value));
    for (const selector of lines(this.#publish)) add('--publish', selector);
    for (const selector of lines(this.#subscribe)) add('--subscribe', selector);
    add('--subject', this.#subject.value);
    add('--issuer', this.#issuer.value);
    add('--audience', this.#audience.value);
    add('--kid', this.#kid.value);
    if (this.#admin.checked) words.push('--admin');
    words.push('--expires', this.#lifetime.value);
    this.#command.set(words.join(' '));
  }
}

const lines = (area) => area.value.split('\n').map((line) => line.trim()).filter(Boolean);

function readSelectors(area) {
  const selectors = lines(area);
  if (selectors.length > MOST_SELECTORS) throw new Error(`A token has at most ${MOST_SELECTORS} selectors of each kind.`);
  return selectors;
}

const input = (attributes) => make('input', { type: 'text', ...attributes });

function select(options) {
  return make('select', {}, ...options.map(([value, text]) => make('option', { value }, text)));
}

/** A control with its label above it, and a hint below. */
function field(name, control, ...hints) {
  const labelled = control.matches('input, select, textarea') ? control : control.querySelector('input');
  labelled.id = `mint-${++fields}`;
  hints.forEach((hint, index) => {
    hint.id = `${labelled.id}-hint-${index}`;
    labelled.setAttribute('aria-describedby', hint.id);
  });
  return make('div', { class: 'field' }, make('label', { for: labelled.id }, name), control, ...hints);
}
