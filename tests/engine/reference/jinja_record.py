#!/usr/bin/env python3
"""Records what Jinja, set up as for chat templates, makes of small templates: tests/data/engine/jinja_cases.json.

    python3 jinja_record.py      (needs: pip install jinja2 transformers)

Each case: template, variables, and the text; or, where Jinja raises an exception, no text."""
import json
import os

from transformers.utils.chat_template_utils import _compile_jinja_template

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/engine")

VARS = {
    "s": "Hello World", "u": "héllo wörld ñ 你好", "blank": "  \t a b \n", "e": "", "n": 7, "m": -3, "f": 2.5, "z": 0,
    "t": True, "no": False, "nil": None, "l": [3, 1, 2], "ls": ["b", "A", "c", "a"], "el": [],
    "d": {"k": "v", "x": 1, "nested": {"y": [1, {"z": None}]}, "items": "own"}, "ed": {},
    "msgs": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": None, "n": 1},
             {"role": "tool", "content": "x<y>&'\""}],
    "floats": [0.1, 1.0, 1e16, 1e-5, 123456789.125, -0.0, 1e22, 3.0e-7, 100000.0],
}

# One expression each.
EXPRESSIONS = """
n + 1 | n - m * 2 | n / 2 | n // 2 | m // 2 | m % 5 | n % -5 | -n // 2 | 2 ** 10 | 2 ** -1 | -2 ** 2 | 7.5 // 2 | -7.5 % 2
1 + 2.0 | 1_000 + 1 | 1e3 | 3.0 | 1.5e-7 | "a" ~ 1 ~ none ~ true ~ 2.0 ~ [1, "x"] ~ {"a": 1.5} | "a" * 3 | 2 * "ab" | "" * 5
[1] + [2, 3] | (1, 2) | (1,) | () | [] | {} | {"a": 1, "b": [true, none]} | "it's" | ["it's", 'say "x"', 'both \\' and "'] | s ~ u
1 < 2 < 3 | 1 < 3 < 2 | n == 7.0 | true == 1 | "a" < "b" | [1, 2] < [1, 3] | n in l | 3 in l | "ell" in s | "k" in d | "q" not in d
not n | not not n | n and e | n or e | e or "x" | nil or no or "y" | (1 if n else 2) | (1 if z) | (1 if z else 2 if n else 3)
s[0] | s[-1] | s[1:4] | s[::-1] | s[:5] | s[6:] | s[-5:] | s[::2] | s[10:2:-3] | s[100:] | u[1] | u[-2:] | u[::-1] | l[::-1] | l[1:] | l[5:]
l[0] | l[-1] | l[9] is defined | d.k | d["k"] | d.nested.y[1]["z"] | d.missing is defined | d["items"] | missing is defined | nil.x is defined
s|length | u|length | l|length | d|length | missing|length | s|upper | u|upper | s|lower | u|capitalize | "o'neil is-here (now)"|title
blank|trim | "xxaxx"|trim("x") | s|replace("o", "0") | s|replace("o", "0", 1) | s|replace("", "-") | s|default("d") | missing|default("d") | e|default("d") | e|default("d", true)
missing|default | nil|default("q") | nil|d("q", boolean=true) | l|join | l|join(", ") | msgs|join("/", attribute="role") | l|first | l|last | s|first | el|first is defined
l|sort | l|sort(reverse=true) | ls|sort | ls|sort(case_sensitive=true) | msgs|sort(attribute="role")|map(attribute="role")|list | ls|unique|list | l|reverse|list | s|reverse
l|min | l|max | l|sum | floats|sum | msgs|map(attribute="role")|join(",") | ls|map("upper")|list | msgs|map(attribute="n", default=0)|list
l|select("odd")|list | l|reject("odd")|list | l|select("gt", 1)|list | msgs|selectattr("role", "equalto", "user")|list|length | msgs|selectattr("content")|list|length
msgs|rejectattr("content", "none")|list|length | msgs|selectattr("n", "defined")|map(attribute="role")|list | l|select("in", [1, 2])|list
d|tojson | d|tojson(indent=2) | [1, 2.5, "é\\n\\t\\"\\\\/", none, true]|tojson | "é"|tojson(ensure_ascii=true) | {"b": 1, "a": 2}|tojson(sort_keys=true) | []|tojson(indent=2) | {}|tojson
floats | floats|tojson | 1e100 | 0.1 + 0.2 | "3"|int | "x"|int | "x"|int(9) | "3.9"|int | 3.99|int | "2.5"|float | "x"|float | n|float | m|abs | 2.567|round(2) | 2.5|round | 3.5|round | 2.1|round(0, "ceil")
d|items|list | d.items() is defined | ed|items|list | {"b": 1, "a": 2}|dictsort | {"b": 1, "a": 2}|list | s|list | "<a href='x'>&\\"</a>"|escape | n|string | d|string
s.startswith("He") | s.endswith(("x", "ld")) | s.upper() | s.lower() | "it's fine".title() | "ABC def".capitalize() | "a,b,,c".split(",") | "a,b,c".split(",", 1) | "  a  b ".split() | " a  b c ".split(none, 1)
"a,b,c".rsplit(",", 1) | "x</think>y</think>z".split("</think>")[-1] | "x</think>y".split("</think>")[0].rstrip("\\n").split("<think>")[-1].lstrip("\\n") | "a\\nb\\r\\nc".splitlines()
"  x ".strip() | "xxyxx".strip("x") | "xxyxx".lstrip("x") | "xxyxx".rstrip("x") | s.find("o") | s.rfind("o") | s.find("q") | s.count("l") | s.index("W") | ", ".join(ls) | u.find("w")
s.replace("l", "L", 2) | "12".isdigit() | "".isdigit() | "ab".isalpha() | " ".isspace() | "AB".isupper() | "x1".isalnum() | "prefix-a".removeprefix("prefix-") | "a.txt".removesuffix(".txt")
d.nested.items()|list | ed.items()|list | {"a": 1}.keys()|list | {"a": 1}.values()|list | d.get("k") | d.get("q") | d.get("q", 5) | l.index(2) | l.count(1)
n is odd | n is even | n is divisibleby 7 | n is divisibleby(2) | s is string | n is number | t is number | t is boolean | t is integer | f is float | n is integer | l is iterable | s is iterable | d is mapping
l is mapping | l is sequence | s is sequence | missing is iterable | nil is none | none is none | t is true | no is false | n is true | s is upper | "AB" is upper | 1 is eq 1 | 1 is eq(2) | 3 is in [1, 3]
n is not none | missing is undefined | range is callable | 1 is sameas 1 | l is not defined | n is gt 5 and n is lt 9 | range(3)|list | range(2, 9, 3)|list | range(3, 0, -1)|list | range(0)|list
namespace(a=1).a | dict(a=1, b="x") | dict(a=1)|tojson | s | indent | "a\\nb\\n\\nc"|indent | "a\\nb"|indent(2, true) | "a\\nb\\n"|indent(1) | {"a": {"b": [1, {"c": "d"}]}}|tojson(indent=4)
"\\x41\\u00e9\\101\\q\\'" | 'a' 'b' "c" | -n | +n | - -n | -m|abs | (n, m)[0] | [[1, 2], [3]][0][1] | {"a": {"b": 2}}.a.b | "%"|length | n if n else m | "a" if no else "b" ~ "c" | not n in l | l == [3, 1, 2] | d == d | missing == missing2
"x" in missing | missing|list | s|string|upper|lower|title | (l|length) > 2 and s|length == 11 | l[n - 7] | l|map("string")|join | "A" ~ (1, "b") | true and none | 5|tojson | none|tojson | "a-b"|replace("-", "_")|upper
""" .strip()

# Whole templates.
TEMPLATES = [
    "{% for x in l %}{{ x }},{% endfor %}", "{% for x in el %}a{% else %}none{% endfor %}\n",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}"
    "{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% endfor %}",
    "{% for k, v in d.nested.items() %}{{ k }}={{ v }}{% endfor %}{% for k in d %}{{ k }}{% endfor %}",
    "{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}", "{% for c in 'héy' %}[{{ c }}]{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% set a = 1 %}{% for x in l %}{% set a = a + x %}{{ a }},{% endfor %}{{ a }}",
    "{% set ns = namespace(a=1, b='x') %}{% for x in l %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c }}",
    "{% if n > 5 %}big{% elif n > 3 %}mid{% else %}small{% endif %}", "{% if z %}a{% elif e %}b{% elif m %}c{% endif %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set x %}in {{ n }} {% endset %}[{{ x }}]",
    "{% set x | upper | trim %} in {{ s }} {% endset %}[{{ x }}]", "{% filter upper %}abc {{ s }}{% endfilter %}",
    "{% macro f(a, b='z', c=none) %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(b=3, a=4) }}{{ f() }}",
    "{% macro outer(x) %}{% if x > 0 %}{{ x }}{{ outer(x - 1) }}{% endif %}{% endmacro %}{{ outer(3) }}",
    "{% set g = 5 %}{% macro f() %}{{ g }}{{ s }}{% endmacro %}{{ f()|upper }}{{ f() ~ '!' }}",
    "{%- macro render(m, i) -%}\n  {{- i }}:{{ m.role }}\n{%- endmacro -%}\n{% for m in msgs %}\n{{ render(m, loop.index0) }}\n{% endfor %}",
    "{% raw %}{{ x }} {% if %}{% endraw %} after", "a {# comment {{ x }} #} b\n{# line #}\nc", "a\n  {% if t %}\n  b\n  {% endif %}\nc\n",
    "a  {%- if t -%}  b  {%- endif -%}  c", "a\n\n  {%- set x = 1 %}\n\n b {{- x -}}  \n c", "{{ s }}\n\n", "{{ s }}\n", "\n\n{{ s }}",
    "  {% if t %}x{% endif %}  \n  {% if t %}\n  y\n{% endif %}", "a {%+ if t %} b {% endif +%}\nc", "\t{% for x in l %}\n\t{{ x }}\n\t{% endfor %}\n",
    "{%- for m in msgs %}\n    {{- '<' + m.role + '>' }}\n    {%- if m.content %}\n        {{- m.content }}\n    {%- endif %}\n{%- endfor %}\n",
    "{{ '{{ x }}' }} {{ \"%}\" }} {{ {'a': {'b': 1}}['a'] }}", "{{- 'a' -}} \n {{- 'b' }}", "{% if s is defined and s %}y{% endif %}",
    "{% set content = msgs[0]['content'] %}{% if content is string %}{{ content }}{% else %}{% for c in content %}{{ c }}{% endfor %}{% endif %}",
    "{% for m in msgs[::-1] %}{{ m.role }}{{ loop.index0 }} {% endfor %}", "{% for i in range(msgs|length - 1, -1, -1) %}{{ i }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in l %}{% for y in l %}{{ loop.index }}{{ x * y }} {% endfor %}{{ loop.index }};{% endfor %}",
    "{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}", "{% generation %}{{ s }}{% endgeneration %}", "{%if t%}a{%endif%}{{s}}{{-n-}}b",
    "{{ missing }}{{ d.missing }}{{ nil }}|", "{% for a in missing %}x{% endfor %}y", "{{ msgs[0] }}", "{{ (msgs|last).content }}", "{{ msgs[-1:] }}",
    "{% set t2 = (1, 'a') %}{{ t2 }}{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }}{% endfor %}", "{% set a = [] %}{% set a = a + [1] %}{{ a }}",
    "é{{ 1 }}你{# x #}好\r\nz\rq", "{% set x = {'role': 'a'} %}{{ x.role }}{{ x['role'] }}", "{{ raise_exception is callable }}", "{% if not loop is defined %}a{% endif %}",
    # exceptions
    "{{ raise_exception('no: ' ~ n) }}", "{{ missing.x }}", "{{ missing + 1 }}", "{{ s + 1 }}", "{{ nil + 'a' }}", "{{ 1 / 0 }}", "{{ l + 'a' }}", "{{ missing() }}",
    "{{ l.append(1) }}", "{{ 'a' < 1 }}", "{{ d.items.x.y }}", "{% for a, b in l %}{% endfor %}", "{{ s.nope() }}", "{{ 5|length }}", "{{ missing|tojson }}", "{{ l.index(99) }}",
    "{{ l[0]['a']['b'] }}", "{% set d.k = 1 %}",
]


def main():
    cases = []
    sources = ["{{ %s }}" % e.strip() for line in EXPRESSIONS.split("\n") for e in split(line)] + TEMPLATES
    for source in sources:
        case = {"template": source}
        try:
            case["text"] = _compile_jinja_template(source).render(**VARS)
        except Exception as e:  # noqa: any of Jinja's and Python's
            case["exception"] = "%s: %s" % (type(e).__name__, e)
        cases.append(case)
    with open(os.path.join(DATA, "jinja_cases.json"), "w", encoding="utf-8") as f:
        json.dump({"variables": VARS, "cases": cases}, f, ensure_ascii=False, indent=0)
        f.write("\n")
    failed = [c for c in cases if "exception" in c]
    print(len(cases), "cases,", len(failed), "exceptions")
    for c in failed:
        print("   ", c["template"], "->", c["exception"])


def split(line):
    """At " | ", which filters are written without."""
    return [part for part in line.split(" | ") if part.strip()]


if __name__ == "__main__":
    main()
