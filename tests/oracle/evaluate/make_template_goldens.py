#!/usr/bin/env python3
"""Makes the reference renderings of Jinja templates: Jinja2 3.1.6 set up as lm-evaluation-harness 0.4.13 (lm_eval.utils)
and as transformers 5.24.0 (utils.chat_template_utils) set it up.

    make_template_goldens.py [FILE]

Writes FILE, goldens/templates.json unless given: the variables, and for every template of CASES what each of the two
makes of it, null where it is an error. Needs jinja2, lm_eval and transformers; the tests need only what it writes.
"""
import copy
import json
import pathlib
import sys

import lm_eval.utils
from transformers.utils import chat_template_utils

VARIABLES = {
    "n": None, "t": True, "f": 1.5, "e": 1e20, "i": 7, "big": 1234567890123456789, "neg": -7, "tiny": 1.5e-7,
    "long": 0.1 + 0.2, "third": 1 / 3, "whole": 3.0, "em": "", "s": "it's a \"q\"\n", "u": "Straße ünïcode ǅ 日本 🗼",
    "l": [1, "a", None, 2.0, True], "d": {"a": 1, "b c": [1, 2], "items": 3}, "html": "<a href=\"x\">A & B</a>",
    "users": [{"name": "Bob", "age": 3}, {"name": "alice", "age": 5}, {"name": "Zed", "age": 5}],
    "nested": {"x": {"y": [{"z": 1}, {"z": 2}]}}, "words": "The quick brown-fox (jumps) over\nthe lazy dog.  ",
    "query": "How [header] do. [title] you? [step] Go  on", "choices": ["red", "blue", "it's green", ""], "label": 2,
    "letters": ["A", "B", "C", "D"], "answers": {"text": ["one", "two"], "label": ["A", "B"]}, "answer": "B",
    "passage": "A man _ a dog.", "option1": "bites", "option2": "walks", "csv": "a, b,c ,", "numbers": [3, 1, 2, 10],
}

CASES = [
    # Values as Python prints them.
    "{{ n }}", "{{ t }} {{ not t }}", "{{ f }} {{ whole }} {{ long }} {{ third }} {{ tiny }} {{ e }}", "{{ i }} {{ big }}",
    "{{ neg }} {{ -neg }} {{ +i }}", "{{ s }}", "{{ [s] }}", "{{ u }} {{ [u] }}", "{{ l }}", "{{ d }}", "{{ nested }}",
    "{{ ['\"'] }} {{ ['\\'\"'] }} {{ ['\\\\ \\t \\x07 \\u200b \\u00a0 é'] }}", "{{ () }} {{ (1,) }} {{ (1, 'a') }}",
    "{{ {} }} {{ {1: 2, 'a': none} }} {{ [] }}", "{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 123456789.0 }}",
    "{{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1e3 }}", "{{ range(3) }} {{ range(5)|list }} {{ range(5, 0, -2)|list }}",
    "{{ d.keys() }} {{ d.values() }} {{ nested.items() }}", "{{ 'tab\\tnew\\nback\\\\ \\x41 \\u00e9 \\101 \\q' }}",
    "{{ \"a\" 'b' }}", "{{ true }} {{ True }} {{ false }} {{ none }} {{ None }}",
    # Operators.
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 7 % -3 }}", "{{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }}",
    "{{ 5.5 // 2 }} {{ -5.5 % 2 }} {{ 1.5 * 2 }} {{ 3 - 1.0 }}", "{{ [1, 2] + [3] }} {{ (1, 2) + (3,) }} {{ [0] * 2 }} {{ 'ab' * 3 }}",
    "{{ true + 1 }} {{ 'a' + 'b' }} {{ 1 ~ 'a' ~ none ~ l }}", "{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 == true }} {{ 1 != 2 }}",
    "{{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ (1,) <= (1, 0) }}", "{{ 1 and 0 or 5 }} {{ none or 'x' }} {{ 'a' and '' }} {{ not n }}",
    "{{ 'a' in 'abc' }} {{ 'a' in d }} {{ 2 in l }} {{ 1 not in [1] }} {{ '' in '' }}", "{{ i if t else 'no' }} {{ 'yes' if n }}|",
    "{{ (1 if n else 2) + 3 }} {{ 'a' if false else 'b' if false else 'c' }}", "{{ 10 - 2 - 3 }} {{ 2 * 3 % 4 }} {{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }}",
    "{{ 'x' + 1 }}", "{{ 1 / 0 }}", "{{ 1 + none }}", "{{ [] < 1 }}", "{{ 'a' * 'b' }}", "{{ -'a' }}", "{{ l + 'a' }}", "{{ 5 % 0 }}",
    # Indices and slices.
    "{{ l[0] }} {{ l[-1] }} {{ u[0] }} {{ u[-1] }} {{ d['b c'][1] }} {{ d.a }}", "{{ l[1:3] }} {{ l[::-1] }} {{ l[10:] }} {{ l[:-1] }} {{ l[::2] }}",
    "{{ u[::-1] }} {{ u[-3:] }} {{ words[4:9] }} {{ u[2:-2:3] }}", "{{ nested.x.y[1].z }} {{ nested['x']['y'].0.z }} {{ nested.x['y'][0]['z'] }}",
    "{{ (1, 2, 3)[1:] }} {{ range(10)[2:8:2]|list }} {{ 'abc'[5:] }}|", "{{ l[5] }}", "{{ d.zz }}", "{{ d['zz'] }}",
    "{{ d.zz.y }}", "{{ l[5] is defined }} {{ d.zz is defined }} {{ nothing is defined }}", "{{ choices[label] }} {{ letters[choices.index('blue')] }}",
    "{{ l['a'] }}", "{{ i[0] }}", "{{ n.x }}", "{{ 'abc'[::0] }}",
    # Undefined.
    "{{ nothing }}", "{{ nothing.x }}", "{{ nothing ~ 'x' }}", "{{ nothing == 1 }}", "{{ nothing|length }}", "{% if nothing %}a{% endif %}b", "{{ nothing() }}",
    "{% for x in nothing %}a{% endfor %}b", "{{ nothing|default(3) }} {{ nothing is undefined }} {{ n|default('d') }} {{ n|default('d', true) }}",
    "{{ 'x' in nothing }}", "{{ [nothing] }}", "{{ nothing|join }}", "{{ nothing or 'x' }}", "{{ not nothing }}", "{{ 'x' + nothing }}", "{{ nothing + 'x' }}",
    "{{ nothing|list }}", "{{ nothing|upper }}", "{% set x = nothing %}{{ x is defined }}", "{{ '%s' % nothing }}", "{{ nothing is none }} {{ nothing is string }}",
    # Strings' methods.
    "{{ words.split() }}", "{{ words.split(' ') }}", "{{ words.split(' ', 1) }} {{ words.rsplit(' ', 1) }} {{ words.rsplit(None, 2) }}", "{{ csv.split(',') }}",
    "{{ words.splitlines() }} {{ 'a\\r\\nb\\n'.splitlines(true) }}", "{{ words.title() }} {{ words.upper() }} {{ words.lower() }} {{ words.capitalize() }}",
    "{{ words.strip() }}| {{ words.lstrip('Th') }} {{ words.rstrip(' .') }}|", "{{ words.replace('o', '0') }} {{ words.replace('o', '0', 1) }} {{ 'abc'.replace('', '-') }}",
    "{{ 'abc'.startswith('a') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'abc'.startswith('b', 1) }}", "{{ 'abc'.find('c') }} {{ 'abc'.find('z') }} {{ 'abcabc'.rfind('b') }} {{ 'abc'.index('b') }}",
    "{{ 'abc'.index('z') }}", "{{ 'aXbX'.count('X') }} {{ 'aaa'.count('aa') }} {{ 'a,b'.partition(',') }} {{ 'a,b,c'.rpartition(',') }}",
    "{{ 'abc'.center(10) }}| {{ 'abc'.center(8, '*') }} {{ 'abc'.ljust(6, '*') }} {{ 'abc'.rjust(5) }}", "{{ '42'.zfill(5) }} {{ '-42'.zfill(5) }} {{ '--4'.zfill(5) }} {{ ''.zfill(2) }}",
    "{{ 'abc'.isalpha() }} {{ '12'.isdigit() }} {{ '½'.isnumeric() }} {{ '²'.isdigit() }} {{ 'x1'.isalnum() }} {{ ''.isalpha() }}",
    "{{ 'Ab'.swapcase() }} {{ ' '.isspace() }} {{ 'AB'.isupper() }} {{ 'Hello World'.istitle() }} {{ 'ab1'.islower() }}", "{{ u.upper() }} {{ u.lower() }} {{ u.title() }}",
    "{{ ', '.join(letters) }} {{ '-'.join('abc') }}", "{{ ', '.join(l) }}", "{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'a\\tb'.expandtabs(4) }}",
    "{{ '{} {}'.format(1, 'a') }} {{ '{1} {0}'.format(1, 2) }} {{ '{x[a]} {y!r}'.format(x=d, y='q') }}", "{{ '{{}} {:>5}|{:<5}|{:^5}|'.format('a', 'b', 'c') }}",
    "{{ '{:05.1f} {:,} {:.3} {:e} {:%} {:+d} {:x}'.format(2.25, 1234567, 'abcdef', 12345.678, 0.25, 3, 255) }}", "{{ '{:08.3f}|{:>10.2f}|{:d}'.format(f, f, i) }}", "{{ 'one\\n two '.strip().split('\\n')[-1].strip() }}",
    # Formats.
    "{{ '%s %r %d' % (l, s, 3) }} {{ '%s' % d }} {{ '%(a)s' % d }}", "{{ '%5.2f|%-5s|%05d|%x|%o|%e|%g|%c' % (f, 'a', 42, 255, 8, 12.5, 0.00001, 'z') }}",
    "{{ '%.3g %.10g %g %g' % (1234.5, third, 1e16, 100000) }}", "{{ '%s' | format(l) }} {{ '%s-%s' | format(1, 2) }} {{ '%(x)s' | format(x=1) }}", "{{ 'x%%y' % () }} {{ '%+d % d' % (5, 5) }}", "{{ '%d' % 'a' }}", "{{ '%s %s' % 'a' }}", "{{ '%s' % (1, 2) }}", "{{ '%.2f' % label }} {{ '%i' % 3.9 }}",
    # Filters.
    "{{ l|join(', ') }} {{ d|join }} {{ users|join('; ', attribute='name') }}", "{{ l|length }} {{ u|length }} {{ d|count }}", "{{ numbers|sort }} {{ numbers|sort(reverse=true) }} {{ ['b', 'A', 'c']|sort }} {{ ['b', 'A', 'c']|sort(case_sensitive=true) }}",
    "{{ users|sort(attribute='name')|map(attribute='name')|list }} {{ users|sort(attribute='age,name', reverse=true)|map(attribute='name')|list }}", "{{ numbers|sum }} {{ numbers|max }} {{ numbers|min }} {{ users|sum(attribute='age') }} {{ [[1], [2]]|sum(start=[]) }}",
    "{{ [1, 2, 2, 1.0]|unique|list }} {{ ['a', 'A']|unique|list }}", "{{ users|selectattr('age', 'equalto', 5)|map(attribute='name')|list }} {{ users|rejectattr('age', 'gt', 3)|list }}", "{{ numbers|select('odd')|list }} {{ numbers|reject('odd')|list }} {{ choices|select|list }} {{ numbers|select('>', 2)|list }}",
    "{{ csv.split(',')|map('trim')|join('|') }} {{ ['a', 'b']|map('upper')|list }} {{ letters|map('lower')|first }}", "{{ users|map(attribute='missing', default='?')|list }}", "{{ users|groupby('age')|list }}", "{% for age, group in users|groupby('age') %}{{ age }}:{{ group|length }};{% endfor %}",
    "{{ words|title }} {{ words|capitalize }} {{ words|upper }} {{ words|lower }} {{ words|trim }}| {{ words|wordcount }}", "{{ words|indent }}|{{ words|indent(2, true) }}|{{ 'a\\n\\nb'|indent(2, blank=true) }}", "{{ words|truncate(20) }} {{ words|truncate(20, true) }} {{ words|truncate(20, false, '…', 0) }} {{ 'short'|truncate(5) }}",
    "{{ words|replace('o', '0') }} {{ 'aaa'|replace('a', 'b', 2) }} {{ 5|replace('5', '6') }}", "{{ 42.55|round }} {{ 42.55|round(1) }} {{ 42.55|round(1, 'floor') }} {{ 42.51|round(0, 'ceil') }} {{ 2.5|round }} {{ 3|round }} {{ 1.005|round(2) }} {{ 1234|round(-2) }}",
    "{{ '42.7'|int }} {{ 'x'|int(5) }} {{ '0x1f'|int(base=16) }} {{ '1.5'|float }} {{ 3.9|int }} {{ 'x'|float }} {{ none|int }} {{ true|int }}", "{{ -5|abs }} {{ (-2.5)|abs }}", "{{ html|e }} {{ html|escape|length }}", "{{ 'äöü /?&'|urlencode }}",
    "{{ [1, 2, 3, 4, 5]|batch(2)|list }} {{ [1, 2, 3]|batch(2, 'x')|list }} {{ [1, 2, 3, 4, 5]|slice(2)|list }} {{ [1, 2, 3]|slice(2, 'x')|list }}", "{{ [1, 2, 3]|first }} {{ [1, 2, 3]|last }} {{ 'abc'|first }} {{ 'abc'|list }} {{ 'abc'|reverse }} {{ [1, 2]|reverse|list }}", "{{ []|first }}", "{{ [] | last is defined }} {{ []|max is defined }}",
    "{{ d|dictsort }} {{ d|dictsort(by='value', reverse=true) if false }} {{ d|items|list }}", "{{ 3.14|string ~ 'x' }} {{ l|string|length }} {{ 'a'|center(5) }}|", "{{ 'a b c'|wordcount }}", "{{ l|attr('append') is defined }} {{ d|attr('a') is defined }}", "{{ 'x'|foo }}", "{{ none|upper }} {{ 12|length }}", "{{ n|list }}", "{{ l|sort }}",
    "{{ [1, [2, 3]]|map('string')|list }} {{ ['1', '2']|map('int')|sum }} {{ [[1, 2], [3]]|map('length')|list }} {{ [[1, 2], [3]]|map('first')|list }}", "{{ {'b': 1, 'a': [1, {'c': none}]}|tojson }} {{ [true, 1.0, 1e20, 'é']|tojson }}", "{{ d|tojson(indent=2) }}", "{{ '<\\'&>'|tojson }}", "{{ 'é'|tojson|length }}",
    # Tests.
    "{{ n is none }} {{ l is iterable }} {{ s is string }} {{ d is mapping }} {{ i is number }} {{ t is boolean }} {{ f is float }} {{ i is integer }} {{ l is sequence }}", "{{ 3 is odd }} {{ 4 is even }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ 1 is in [1, 2] }} {{ 1 is not in [1, 2] }}",
    "{{ 'AB' is upper }} {{ 'ab' is lower }} {{ none is sameas none }} {{ 1 is eq 1 }} {{ 2 is gt 1 }} {{ 1 is ne 2 }} {{ 2 is lessthan 3 }}", "{{ true is true }} {{ 1 is true }} {{ range is callable }} {{ 'upper' is filter }} {{ 'odd' is test }} {{ t is number }}", "{{ s is not none and s is string }} {{ not s is string }}", "{{ 1 is foo }}", "{{ 'a' is odd }}", "{{ i is undefined }} {{ d.a is defined and d.a == 1 }}",
    # Statements.
    "{% for x in l %}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.revindex0 }}{{ loop.length }};{% endfor %}", "{% for x in numbers %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}", "{% for x in numbers if x > 2 %}{{ loop.index0 }}{{ x }}{% else %}none{% endfor %}", "{% for x in [] %}{{ x }}{% else %}none{% endfor %}",
    "{% for k, v in nested.items() %}{{ k }}={{ v }}{% endfor %}", "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }}{{ loop.cycle('x', 'y') }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}", "{% for x in 'añb' %}[{{ x }}]{% endfor %}", "{% for x in d %}{{ x }};{% endfor %}", "{% for x in 5 %}{% endfor %}",
    "{% for x in [1, [2, [3]]] recursive %}{{ loop(x) if x is iterable else x }}{{ loop.depth }}{% endfor %}", "{% for a in [1, 2] %}{% for b in [1, 2] %}{{ loop.index }}{{ a }}{{ b }} {% endfor %}{{ loop.changed(a > 0) }}{% endfor %}", "{% for x in numbers %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in numbers %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% if n %}a{% elif t %}b{% else %}c{% endif %}", "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{% for i in [1] %}{% set x = 3 %}{% endfor %}{{ x }}", "{% set ns = namespace(a=1) %}{% for i in range(5) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }} {% set x %}[{{ i }}]{% endset %}{{ x }} {% set y | upper %}abc{% endset %}{{ y }}",
    "{% set d.a = 1 %}", "{% with q = 5, r = 6 %}{{ q + r }}{% endwith %} {% filter upper %}abc{{ u }}{% endfilter %}", "{% macro m(a, b=2) %}[{{ a }}{{ b }}{{ caller() if caller else '' }}]{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}{{ m(b=1, a=2) }}{% call m(5) %}hi{% endcall %}", "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro fact(k) %}{{ 1 if k < 2 else k * fact(k - 1)|int }}{% endmacro %}{{ fact(5) }}", "{% macro list(x) %}{% call(item) each(x) %}<{{ item }}>{% endcall %}{% endmacro %}{% macro each(x) %}{% for y in x %}{{ caller(y) }}{% endfor %}{% endmacro %}{{ list([1, 2]) }}", "{% raw %}{{ raw }} {% if %}{% endraw %}",
    "{# comment {{ x }} #}a", "{{ cycler('a', 'b').next() }} {% set j = joiner('; ') %}{{ j() }}a{{ j() }}b", "{{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {{ loop is defined }}", "{{ l.append(3) }}{{ l }}", "{{ d.update({'z': 1}) }}{{ d }}", "{{ d.pop('a') }}", "{% set _ = numbers.sort() %}{{ numbers }}", "{{ l.index('a') }} {{ l.count(1) }} {{ d.get('a') }} {{ d.get('zz', 5) }} {{ d.get('zz') }}", "{{ l.copy() }} {{ d.copy() }}",
    "{% if t %}{% set z = 1 %}{% endif %}{{ z }}", "{% for x in [1] %}{% set inner = x %}{% endfor %}{{ inner }}", "{% extends 'x' %}", "{% include 'x' %}", "{% foo %}", "{% if %}", "{{ }}", "{{ 'a", "{% for x in l %}", "{{ a b }}", "{{ 1 | }}", "{% endif %}", "{{ (1, }}", "{{ [1, 2 }}", "{{ {1} }}", "{{ x = 1 }}",
    # Whitespace.
    "a\n{% if t %}\nb\n{% endif %}\nc\n", "  {% if t %}  x  {% endif %}  \n", "a {%- if t -%} b {%- endif -%} c", "a \n {{- i -}} \n b", "  {# c #}\n  {%+ if t %}\n x\n  {%- endif +%}\n y", "a\n\n", "a\r\nb\rc\n", "{% for x in [1, 2] %}\n  {{ x }}\n{% endfor %}\nend", "{%- for x in [1, 2] -%} {{ x }} {%- endfor -%} end", "\t{% raw %}\n {{ x }}\n\t{% endraw -%}  z", "{{ i }}\n", "{{ i }}\n\n", "a {#-#} b", "{#+#}\n  c", "{% for x in [1, 2] %}{% continue %}{% else %}none{% endfor %}", "{{ nothing is sequence }}", "x{# a #}\n{#- b -#}\ny",
    # As benchmarks use them.
    "{{ query.replace(' [title]', '. ')|regex_replace('\\\\[.*?\\\\]', '')|replace('  ', ' ')|trim }}", "{{ 'abcabc'|regex_replace('(b)(c)', '\\\\2\\\\1') }} {{ 'aaa'|regex_replace('a', 'b', 2) }} {{ 'x'|regex_replace('(?P<n>x)', '<\\\\g<n>>') }}", "{{ 'Ab ab'|regex_replace('(?i)A', '-') }} {{ 'é1٣'|regex_replace('\\\\d', '#') }} {{ 'a.b'|regex_replace('\\\\.', '') }} {{ 'abc'|regex_replace('x*', '-') }}", "{{ 'a'|regex_replace('(', 'b') }}", "{{ 'a'|regex_replace('a', '\\\\2') }}", "{{ 5|regex_replace('5', 'b') }}",
    "Question: {{ query.strip() }}\nA. {{ choices[0] }}\nB. {{ choices[1] }}\nAnswer:", "{{ ['A', 'B', 'C', 'D'].index(answer) }}", "{{ letters[label] }} {{ choices|length }} {{ letters.index(answer) if answer in letters else -1 }}", "{% for c in choices %}{{ letters[loop.index0] }}. {{ c }}\n{% endfor %}Answer:", "{{ passage[:passage.index('_')] }}{{ option1 }}", "{{ [option1, option2] }}", "{% set index = passage.index('_') %}{{ passage[index + 1:]|trim }}", "{{ answers.text[answers.label.index('B')] }}",
    "{% set letter = {'A': 0, 'B': 1} %}{{ letter[answer] }}", "{{ choices|map('trim')|reject('equalto', '')|list }}", "{{ letters|join('\\n') if letters|length > 1 else letters[0] }}", "{{ (label|int) + 1 }} {{ label == 2 }} {{ label|string }}", "{{ \"Yes\" if t else \"No\" }}{{ \"\\n\\n\" }}", "{{ users[0]['name'] }} and {{ users[-1].name }}", "{{ words.split('.')[0] + '.' }}", "{{ range(choices|length)|list }} {{ choices[1:]|list }}", "{{ 'a' ~ ('b' if t else 'c') ~ '.' }}{{- ' d' }}", "{{ zip }}", "{{ nested.x.y|map(attribute='z')|sum }}", "{{ words|lower|replace('the', 'a')|title|length }}",
    # Chat templates' own.
    "{{ raise_exception('no') }}", "{{ raise_exception is defined }} {{ strftime_now is defined }}", "{% generation %}x{% endgeneration %}", "{{ d|tojson(ensure_ascii=true, separators=(',', ':'), sort_keys=true) }}", "{{ u|tojson(ensure_ascii=true) }}", "{{ namespace(_a=1) }}", "{% set ns = namespace() %}{% set ns._a = 1 %}", "{{ range(100001)|length }}",
]


def render(compile_template, source):
    try:
        return compile_template(source).render(**copy.deepcopy(VARIABLES))
    except Exception:  # whatever a template does wrong
        return None


def main() -> None:
    default = pathlib.Path(__file__).resolve().parent / "goldens" / "templates.json"
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    cases = [{"template": source, "task": render(lm_eval.utils.env.from_string, source),
              "chat": render(chat_template_utils._cached_compile_jinja_template, source)} for source in CASES]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    out.write_text(f'{{"variables": {json.dumps(VARIABLES, ensure_ascii=False)},\n"cases": [\n{lines}\n]}}\n')
    refused = sum(case[dialect] is None for case in cases for dialect in ("task", "chat"))
    print(f"{len(cases)} templates, {2 * len(cases)} renderings, {refused} refused")


if __name__ == "__main__":
    main()
