"""The style of pages: colours for light, dark and paper, and rules for their parts, which other frames can scope."""

from typing import Final

LIGHT: Final = (
    "--bg:#fff;--fg:#1b1f24;--dim:#5c6672;--line:#d9dee4;--card:#f6f8fa;--c1:#1f6feb;--c2:#c2630a;--c3:#c4314b;"
    "--c4:#1a8a6e;--c5:#8250df;--ok:#1a7f37;--bad:#c4314b;"
)
DARK: Final = (
    "--bg:#0e1116;--fg:#e6e9ee;--dim:#9aa5b1;--line:#30363d;--card:#171c23;--c1:#6cb0ff;--c2:#f0a35e;--c3:#ff7b8a;"
    "--c4:#4fd1a8;--c5:#c4a5ff;--ok:#56d364;--bad:#ff7b8a;"
)
PAPER: Final = f"{LIGHT}--fg:#000;--dim:#444;--line:#bbb;--card:#fff;"
"""Declarations of the colours that the rules use."""

COLOURS: Final = 5
"""Number of colours for series."""

_INKS: Final = "".join(
    f".l.c{n},.s.c{n},.o.c{n}{{stroke:var(--c{n})}}.b.c{n},.d.c{n},.f.c{n}{{fill:var(--c{n})}}.k.c{n}{{border-color:var(--c{n})}}"
    for n in range(1, COLOURS + 1)
)

PARTS: Final = f"""
h2{{font-size:1.02rem;margin:0 0 .5em}}p{{margin:.3em 0}}p,h2,.tile{{overflow-wrap:anywhere}}
.dim{{color:var(--dim)}}.ok{{color:var(--ok)}}.bad{{color:var(--bad)}}a{{color:var(--c1)}}
:focus-visible{{outline:2px solid var(--c1);outline-offset:2px}}
.tiles{{display:grid;grid-template-columns:repeat(auto-fit,minmax(112px,1fr));gap:10px;margin:14px 0}}
.tile{{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px 12px}}
.tile b{{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}}
.tile span{{color:var(--dim);font-size:.85rem}}
.grid{{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:14px;margin-bottom:14px}}
section{{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;margin:0 0 14px;
min-width:0}}.grid section{{margin:0}}.grid>section:last-child:nth-child(odd){{grid-column:1/-1}}
.wide{{overflow-x:auto;background:
linear-gradient(90deg,var(--card) 30%,transparent) 0 0/36px 100% local no-repeat,
linear-gradient(270deg,var(--card) 30%,transparent) 100% 0/36px 100% local no-repeat,
linear-gradient(90deg,var(--dim),transparent) 0 0/10px 100% scroll no-repeat,
linear-gradient(270deg,var(--dim),transparent) 100% 0/10px 100% scroll no-repeat}}
table{{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.88rem}}
th,td{{text-align:right;padding:3px 8px;border-bottom:1px solid var(--line);white-space:nowrap}}
th:first-child,td:first-child{{text-align:left}}th{{color:var(--dim);font-weight:600}}
td.w{{text-align:left;white-space:normal;overflow-wrap:anywhere}}td.w:first-child{{min-width:9em}}
td.p,th.p,td.n,th.n{{text-align:left}}td.p{{white-space:normal;overflow-wrap:anywhere;min-width:200px}}
td.p:last-child{{min-width:400px}}.heat{{width:auto}}.heat td{{min-width:64px}}
td[style],.tree b{{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
.tree,.tree ul{{list-style:none;margin:0;padding:0}}.tree{{font-size:.9rem}}
.tree li{{overflow-wrap:anywhere;padding:3px 0}}
.tree ul li{{border-left:2px solid var(--line);padding-left:14px}}.tree b{{border-radius:4px;padding:0 5px}}
figure{{margin:0}}svg{{width:100%;height:auto;display:block}}
.t{{font:12px system-ui,sans-serif;fill:var(--dim)}}.e{{text-anchor:end}}.m{{text-anchor:middle}}
.a{{stroke:var(--dim)}}.g{{stroke:var(--line);stroke-width:.7}}
.l{{fill:none;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}}
.o{{fill:none;stroke-width:5.5;stroke-linecap:round}}.l.h{{stroke-dasharray:5 4}}
.s{{stroke-width:3}}.b,.d{{stroke:none}}.f{{stroke:none;opacity:.2}}.ring{{fill:none;stroke:var(--fg);stroke-width:2}}
.grid>section:last-child:nth-child(odd) figure{{max-width:720px;margin:auto}}
.legend{{display:flex;flex-wrap:wrap;gap:0 14px;font-size:.82rem;color:var(--dim);overflow-wrap:anywhere}}
.legend label{{padding:2px 0}}.legend input{{display:none}}.js .legend input{{display:inline-block;margin:0 4px 0 0}}
.k{{display:inline-block;width:16px;border-top:3px solid;margin-right:5px;vertical-align:middle}}
.k.h{{border-top-style:dashed}}.js .legend label{{cursor:pointer}}
.legend label:has(input:not(:checked)){{opacity:.5}}
output{{display:block;min-height:1.5em;font-size:.85rem;font-variant-numeric:tabular-nums}}
.values{{font-size:.85rem}}.values summary{{color:var(--dim);cursor:pointer}}
.values .wide{{max-height:240px;overflow-y:auto}}
@media(max-width:480px){{.t{{font-size:14px}}}}
{_INKS}"""
"""Rules of sections, tables, tiles, trees and charts."""

FRAME: Final = """
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
main{max-width:1200px;margin:0 auto;padding:16px}h1{font-size:1.35rem;margin:.2em 0;overflow-wrap:anywhere}"""
"""Rules of a document that is a complete page."""

PRINT: Final = """main{max-width:none;padding:0}body{font-size:11px}.grid{grid-template-columns:1fr 1fr}
section,figure,tr,.tile{break-inside:avoid}section:has(table){break-inside:auto}h2{break-after:avoid}
thead{display:table-header-group}output,.ring,.values,.js .legend input{display:none}
.wide{overflow:visible;background:none}
table{font-size:8px}th,td{padding:2px 3px}td.p,td.p:last-child{min-width:0}
td.n{white-space:normal;overflow-wrap:anywhere;min-width:120px}.heat td{min-width:0}"""
"""Rules for paper: no breaks inside charts, rows and headings, and no controls."""

STYLE: Final = (
    f":root{{color-scheme:light dark;{LIGHT}}}@media(prefers-color-scheme:dark){{:root{{{DARK}}}}}"
    f"{FRAME}{PARTS}@media print{{:root{{{PAPER}}}{PRINT}}}"
)
"""Everything that a complete page needs."""
