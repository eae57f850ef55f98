#!/usr/bin/env bash
# Tests doc/site/build, which makes the documentation pages: what it makes of a guide, and
# that it fails on each kind of mistake that is put into one.
#
# Where a program is missing that it needs, it says so, and is a skipped test (77).
set -eu
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for program in perl cmark-gfm mandoc; do
    command -v "$program" >/dev/null && continue
    echo "SKIPPED: no $program (Debian: $program)"
    exit 77
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# A fresh source with two guides and a manual page.
make_source() {
    rm -rf doc www
    mkdir -p doc/guide doc/examples doc/man www/console
    cp -R --no-preserve=mode "$source/doc/site" doc/
    printf '%s\n' '[Guides]' 'start  First' 'tokens  Second' \
        '[Manual]' 'tool.1  tool(1)' >doc/site/index.txt
    echo 'int main(void);' >doc/examples/news.c
    echo 'openapi: 3.1.0' >www/openapi.yaml
    echo '<!doctype html>' >www/console/index.html
    cat >doc/guide/start.md <<'END'
# The *first* guide

It begins here. And goes on.

<!-- snippet: test="a" -->
```sh
# A comment
echo "hello & <goodbye>" | while read -r x; do :; done
```

<!--
data: of a test
-->

```text
<!-- a comment in code stays -->
```

## What is `kept`?

See [tokens](tokens.md), [there](tokens.md#a-section), [below](#again),
[news](../examples/news.c), [the console](../../www/console/index.html), <https://example.com/>,
[the interface](../../www/openapi.yaml). tool(1) and `crier_do()` have pages; other(8) and `crier_none()` do not.

## Again

| a | b |
|---|--:|
| 1 | 2 |

## Again
END
    printf '%s\n' '# The second' 'A sentence about tokens.' '' '## A section' 'Text' \
        >doc/guide/tokens.md
    printf '%s\n' '.TH TOOL 1' '.SH NAME' 'tool \- does it' '.SH MORE' '.nf' 'int x;' \
        '  int y;' '.fi' '.SS Deeper' 'See' '.BR tool (1)' 'and' '.BR other (8).' >doc/tool.1
    echo 'crier_do crier_it' >doc/man/links
    printf '%s\n' '.TH CRIER_IT 3' '.SH NAME' 'crier_do \- does it' '.SH SYNOPSIS' '.nf' \
        'int crier_do(void);' '.fi' '.SH SEE ALSO' '.BR tool (1),' '.BR crier_do (3)' \
        >doc/man/crier_it.3
}

build() { "$source/doc/site/build" --source "$scratch" "$@"; }

# Whether the page $1 has the text $2.
has() {
    grep -qF -- "$2" "www/docs/$1" && return
    echo "$1 has no '$2':" >&2
    cat "www/docs/$1" >&2
    exit 1
}
lacks() {
    grep -qF -- "$2" "www/docs/$1" || return 0
    echo "$1 has '$2'" >&2
    exit 1
}

# Builds with a line added to the guide start.md, which must fail with the message $2.
refuses() {
    make_source
    printf '\n%s\n' "$1" >>doc/guide/start.md
    if build >out 2>&1; then
        echo "not refused: $1" >&2
        exit 1
    fi
    grep -qF -- "$2" out || {
        echo "$1: the message lacks '$2':" >&2
        cat out >&2
        exit 1
    }
    [[ ! -e www/docs ]]
}

make_source
build
has start.html '<title>The first guide - Crier</title>'
has start.html '<meta name="description" content="It begins here.">'
has start.html '<h1 id="the-first-guide">The <em>first</em> guide</h1>'
has start.html '<h2 id="what-is-kept">'
has start.html '<h2 id="again-1">'
has start.html '<a href="tokens.html">tokens</a>'
has start.html '<a href="tokens.html#a-section">there</a>'
has start.html '<a href="#again">below</a>'
has start.html '<span class="file" title="doc/examples/news.c in the source">news</span>'
has start.html '<a href="../console/">the console</a>'
has start.html '<a href="https://example.com/">'
has start.html '<a href="../openapi.yaml">the interface</a>'
has start.html '. <a href="tool.1.html">tool(1)</a> and <a href="crier_it.3.html"><code>crier_do()</code></a> have'
has start.html 'other(8) and <code>crier_none()</code> do not.'
has start.html '<pre data-copy><code><span class="comment"># A comment</span>'
has start.html 'echo <span class="string">&quot;hello &amp; &lt;goodbye&gt;&quot;</span> | <span class="word">while</span> read'
has start.html '<pre><code>&lt;!-- a comment in code stays --&gt;'
lacks start.html 'snippet'
lacks start.html 'of a test'
lacks start.html 'style='
has start.html '<td align="right">2</td>'
has start.html '<li><a href="start.html" aria-current="page">First</a></li>'
has start.html '<a class="next" rel="next" href="tokens.html">'
has tokens.html '<a class="prev" rel="prev" href="start.html">'
has tool.1.html '<h2 id="NAME">'
has tool.1.html '<h3 id="Deeper">'
has tool.1.html $'<pre><code>int x;\n  int y;'
has crier_it.3.html '<code><span class="word">int</span> crier_do('
has crier_it.3.html '<a href="tool.1.html"><b>tool</b>(1)</a>'
has start.html '<a href="./#functions-of-libcrier">'
has index.html '<h2 id="functions-of-libcrier">'
has index.html '<strong>Second</strong> <span>A sentence about tokens.</span>'
has index.html '<span>Does it.</span>'
has search.json '"heading":"What is kept?"'
has search.json '"id":"a-section","level":2,"page":"tokens"'
has search.json '"names":["crier_do"],"page":"crier_it.3","text":"crier_do - does it"'

# Equal input makes equal output.
cp -R www/docs first
build
diff -r first www/docs

refuses '[x](tokens.md#nowhere)' 'tokens has no heading #nowhere'
refuses '[x](#nowhere)' 'start has no heading #nowhere'
refuses '[x](missing.md)' 'the link missing.md leads nowhere'
refuses '[x](../examples/missing.c)' 'the link ../examples/missing.c leads nowhere'
refuses '[x](../../../etc/passwd)' 'leads nowhere'
refuses '<b>bold</b>' 'HTML is not allowed'
refuses '<script>alert(1)</script>' 'HTML is not allowed'
refuses '![x](x.png)' 'pictures are not possible'
refuses '<!-- without an end' 'a comment has no end'

make_source
echo '# Another' >doc/guide/another.md
! build >out 2>&1
grep -qF 'doc/guide/another.md is not in doc/site/index.txt' out

make_source
rm doc/guide/tokens.md
! build >out 2>&1
grep -qF 'doc/guide/tokens.md of doc/site/index.txt does not exist' out

mkdir 'a space'
cd 'a space'
make_source
cd ..
perl 'a space/doc/site/build' 2>out
[[ -e 'a space/www/docs/start.html' ]]
echo 'all as it should be'
