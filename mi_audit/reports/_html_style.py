"""The style of the page: light, dark and print; nothing is loaded. Paints are told apart in grey by their lightness."""

_LIGHT = """--paper:#ffffff;--soft:#f4f6f8;--ink:#1b1f24;--muted:#59636e;--line:#d5dbe1;--link:#0550ae;
--member:#0b5fa5;--non-member:#c2410c;--pass:#116329;--fail:#a40e26;--open:#7a4b00;--series-1:#0b5fa5;
--series-2:#c2410c;--series-3:#00795c;--series-4:#8a3ffc;--series-5:#8a6100;--series-6:#b5267a;--series-7:#4b5563;
--series-8:#0284a8"""
_DARK = """--paper:#12161b;--soft:#1b2128;--ink:#e8ecf0;--muted:#9aa5b1;--line:#343c46;--link:#7cb7ff;
--member:#5fb2ff;--non-member:#ff9e5e;--pass:#57d089;--fail:#ff8189;--open:#f0c060;--series-1:#5fb2ff;
--series-2:#ff9e5e;--series-3:#37d3a8;--series-4:#c4a5ff;--series-5:#e3c04a;--series-6:#ff8cc6;--series-7:#b4bdc7;
--series-8:#5cd6f5"""

STYLE = (
    f":root{{color-scheme:light dark;{_LIGHT}}}\n"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}\n"
    """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
header,main,footer{max-width:77rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:1.75rem;line-height:1.2;margin:.2rem 0 .6rem}
h2{font-size:1.3rem;line-height:1.25;margin:2.6rem 0 .6rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.6rem 0 .4rem}
p,ul{margin:.5rem 0;max-width:48rem}
ul{padding-left:1.2rem}
li{margin:.2rem 0}
a{color:var(--link)}
.made,.note,figcaption p{color:var(--muted);font-size:.875rem}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;padding:0;margin:1rem 0 0;max-width:none;
font-size:.875rem}
.verdict{border:1px solid var(--line);border-left:.5rem solid var(--tone);border-radius:.4rem;background:var(--soft);
padding:.9rem 1.2rem;margin:1.2rem 0}
.verdict p,.verdict ul{max-width:62rem}
.verdict .outcome{font-size:1.5rem;font-weight:700;margin:0;color:var(--tone)}
.verdict .sentence{font-size:1.05rem}
.pass{--tone:var(--pass)}.fail{--tone:var(--fail)}.open{--tone:var(--open)}.none{--tone:var(--muted)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(45%,10.5rem),1fr));gap:.7rem;margin:1.2rem 0}
.cards div{border:1px solid var(--line);border-radius:.4rem;padding:.6rem .8rem}
.cards dt{color:var(--muted);font-size:.8rem}
.cards dd{margin:0;font-size:1.3rem;font-weight:650;font-variant-numeric:tabular-nums}
.cards dd span{display:block;font-size:.8rem;font-weight:400;color:var(--muted)}
.facts{margin:.6rem 0}
.facts div{display:grid;grid-template-columns:minmax(6rem,9rem) 1fr;gap:0 1rem;padding:.25rem 0;
border-bottom:1px solid var(--line)}
.facts dt{color:var(--muted)}
.facts dd{margin:0}
.scroll{overflow-x:auto;margin:.9rem 0 .3rem;max-width:100%}
.scroll:focus-visible,pre:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--link);
outline-offset:2px}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums;overflow-wrap:normal}
caption{text-align:left;font-weight:650;font-size:.95rem;padding:.2rem 0 .4rem}
caption span{position:sticky;left:0;display:inline-block;max-width:min(100%,calc(100vw - 2.5rem));
overflow-wrap:anywhere}
th,td{padding:.3rem .7rem;text-align:right;vertical-align:top;border-bottom:1px solid var(--line);white-space:nowrap}
thead th{vertical-align:bottom;white-space:normal;min-width:5rem;font-weight:600;color:var(--muted);
border-bottom:2px solid var(--line)}
tbody th{font-weight:500}
th.text,td.text{text-align:left}
tbody th.text{max-width:17rem;white-space:normal;overflow-wrap:break-word}
td.text{white-space:normal;min-width:7rem}
th:first-child,td:first-child{padding-left:.3rem}
tbody th:first-child{position:sticky;left:0;background:var(--paper)}
tr.marked th,tr.marked td{background:var(--soft);font-weight:700}
tr.marked td.text:last-child{font-weight:400}
table.wide{font-size:.8rem}
.wide th,.wide td{padding:.3rem .27rem}
.wide thead th{min-width:3.4rem}
.wide th.text,.wide td.text{padding-left:.6rem}
tr.group th,tr.group td{border-top:2px solid var(--line)}
figure{margin:1.4rem 0}
figcaption{font-weight:650}
figcaption p{font-weight:400;margin:.2rem 0 .4rem}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:.6rem 1.2rem}
.panels svg{width:100%;max-width:33rem;height:auto;display:block}
.panels svg *{stroke-linejoin:round;stroke-linecap:butt}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;margin:.4rem 0;font-size:.875rem;
max-width:none}
.legend li{display:flex;align-items:center;gap:.45rem;margin:0}
.legend svg{width:2.4rem;height:.9rem;flex:none}
details{margin:.6rem 0}
summary{cursor:pointer;color:var(--link);font-size:.9rem}
details .scroll{max-height:26rem;overflow:auto}
pre{overflow-x:auto;background:var(--soft);border:1px solid var(--line);border-radius:.4rem;padding:.8rem 1rem;
font-size:.85rem;line-height:1.5;white-space:pre-wrap}
p code,li code,td code{background:var(--soft);border:1px solid var(--line);border-radius:.25rem;padding:0 .2rem;
font-size:.9em}
.findings{list-style:none;padding:0}
.findings li{border-left:.25rem solid var(--tone);padding:.1rem 0 .1rem .8rem;margin:.6rem 0}
.findings strong,.rule-outcome{text-transform:none}
footer{color:var(--muted);font-size:.875rem;padding-top:2rem;padding-bottom:3rem}
@media (max-width:40rem){
body{font-size:15px}
header,main,footer{padding-left:1rem;padding-right:1rem}
h1{font-size:1.4rem}
.facts div{grid-template-columns:1fr}
tbody th.text{max-width:9.5rem}
}
@page{size:landscape;margin:12mm}
@media print{
body{font-size:10.5pt}
nav,.skip{display:none}
header,main,footer{max-width:none;padding:0}
h2,h3,caption,thead{break-after:avoid}
figure,tr,.verdict,.cards,.findings li{break-inside:avoid}
.scroll{overflow:visible;max-height:none!important}
table,table.wide{font-size:8pt}
th,td,.wide th,.wide td{padding:.15rem .35rem}
.panels{grid-template-columns:repeat(auto-fit,minmax(78mm,1fr))}
summary,figure details:not([open]){display:none}
details::details-content{content-visibility:visible;block-size:auto}
tbody th:first-child{position:static}
}
"""
)
