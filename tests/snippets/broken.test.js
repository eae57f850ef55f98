/** A broken snippet of each language must fail, or the test of the guides proves nothing. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { closeBrowser, Guide } from './guide.js';

/** Each guide, whose last block is broken, and what the runner must say. */
const BROKEN = {
  'a command that fails': ['```sh\nfalse\ntrue\n```', /status 1/],
  'a program that ends at once': ['<!-- snippet: background -->\n```sh\nfalse\n```', /it has failed/],
  'a refused request': ['```sh\ncurl -d x "http://127.0.0.1:8080/topics/a*b"\n```', /status 22/],
  'a refused stream': ['```sh\ncurl -N http://127.0.0.1:8080/nothing\n```', /status 22/],
  'a success where a failure is shown': ['<!-- snippet: fails -->\n```sh\ntrue\n```', /status 0/],
  'another output': ['```sh\necho one\n```\n```text\ntwo\n```', /not printed/, 300],
  'an output that was shown before': ['```sh\necho one\n```\n```text\none\n```\n```text\none\n```', /not printed/, 300],
  'JSON': ['```json\n{"a": 1,}\n```', /JSON/],
  'NDJSON': ['```ndjson\n{"a": 1}\n{\n```', /JSON/],
  'a configuration': ['```ini\nretain-aeg = 30d\n```', /retain-aeg/],
  'JavaScript for Node': ["```js\nimport { nothing } from 'node:fs';\n```", /SyntaxError/],
  'JavaScript for a page': ['```js\nnothing();\n```', /nothing is not defined/],
  'a page that subscribes to nothing': ['```html\n<!doctype html>\n<p>Hello\n```', /opened no stream/, 300],
  'Python': ['```python\nprint(nothing)\n```', /NameError/],
  'PHP': ['```php\n<?php\nnothing();\n```', /undefined function/],
  'Go': ['```go\npackage main\nfunc main() { nothing() }\n```', /undefined: nothing/],
  'C': ['```c\n#include <crier.h>\nint main(void) { return nothing; }\n```', /nothing/],
  'nginx': ['```nginx\nproxy_pas x;\n```', /proxy_pas/],
  'no language': ['```\nfalse\n```', /no language/],
  'an unknown language': ['```klingon\nnuqneH\n```', /klingon is unknown/],
  'an unknown mark': ['<!-- snippet: backgruond -->\n```sh\ntrue\n```', /unknown mark/],
};

after(closeBrowser);
for (const [name, [text, complaint, patience]] of Object.entries(BROKEN)) {
  test(name, async (t) => {
    const guide = new Guide(text, patience);
    try {
      await guide.open();
      for (const block of guide.blocks.slice(0, -1)) await guide.run(block);
      let reason = '';
      await assert.rejects(async () => {
        reason = await guide.run(guide.blocks.at(-1));
        if (reason) throw new Error(reason);
      }, (error) => reason !== '' || complaint.test(error.message));
      if (reason) t.skip(reason);
    } finally {
      await guide.close();
    }
  });
}
