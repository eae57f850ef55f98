/**
 * Tries every snippet of README.md and of the guides (see guide.js).
 *
 * Environment: GUIDES, the files to try, with spaces between.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { closeBrowser, Guide } from './guide.js';

const top = fileURLToPath(new URL('../../', import.meta.url));
const guides = readdirSync(`${top}doc/guide`).filter((name) => name.endsWith('.md')).map((name) => `doc/guide/${name}`);
const chosen = process.env.GUIDES?.split(' ') ?? ['README.md', ...guides];

after(closeBrowser);
for (const name of chosen) {
  test(name, async (t) => {
    const guide = new Guide(readFileSync(top + name, 'utf8'));
    let failed = 0;
    try {
      await guide.open();
      for (const block of guide.blocks) {
        await t.test(`${name}:${block.line} ${block.language}`, async (one) => {
          if (failed) return one.skip(`line ${failed} failed`);
          failed = block.line;
          const reason = await guide.run(block);
          failed = 0;
          if (reason) one.skip(reason);
        });
      }
    } finally {
      await guide.close();
    }
  });
}
