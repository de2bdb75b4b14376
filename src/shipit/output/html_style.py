"""How a report looks: light or dark as its reader has it, and on paper."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --soft: #8881; --quiet: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; --quiet: #9198a1; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } h3 { font-size: 1rem; margin-bottom: .3rem; }
h1.good { color: var(--good); } h1.bad { color: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.5rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .7rem; border-radius: 6px; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; font: 13px/1.45 ui-monospace, monospace; }
.failure { border-left: 4px solid var(--bad); padding-left: 1rem; }
.steps { border-collapse: collapse; width: 100%; }
.steps td, .steps th { padding: .25rem .6rem; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
.steps th { font-weight: 600; white-space: nowrap; }
.steps .bar { position: relative; width: 35%; min-width: 8rem; }
.bar i { position: absolute; top: .6rem; height: .6rem; min-width: 3px; border-radius: 3px; background: var(--quiet); }
.done .bar i { background: var(--good); } .failed .bar i { background: var(--bad); }
.done td:first-child { color: var(--good); } .failed td:first-child { color: var(--bad); }
.added { color: var(--good); } .removed { color: var(--bad); } .heading { font-weight: 600; }
summary { cursor: pointer; margin-top: 1rem; font-weight: 600; }
@media print { body { margin: 0; max-width: none; } pre { overflow: visible; }
  .bar i { print-color-adjust: exact; -webkit-print-color-adjust: exact; } .failure, tr { break-inside: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; } }
"""
